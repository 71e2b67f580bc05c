"""The one loop: streams, precision, schedules, checkpoint and resume."""

from limbeck.training._loop import Job, train
from limbeck.training._precision import faster_precision, has_bf16
from limbeck.training._predict import predict, represent
from limbeck.training._settings import Training

__all__ = ["Job", "Training", "faster_precision", "has_bf16", "predict", "represent", "train"]
