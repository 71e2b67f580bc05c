"""The one loop: streams, precision, schedules, checkpoint and resume."""

from limbeck.training._fabric import check_device
from limbeck.training._job import Hopeless, Job, never
from limbeck.training._loop import SOURCE_SIDE, train
from limbeck.training._measure import Passes, compile_choice, faster_passes, has_bf16
from limbeck.training._predict import Seen, observe, predict, represent
from limbeck.training._settings import Training

__all__ = [
    "SOURCE_SIDE",
    "Hopeless",
    "Job",
    "Passes",
    "Seen",
    "Training",
    "check_device",
    "compile_choice",
    "faster_passes",
    "has_bf16",
    "never",
    "observe",
    "predict",
    "represent",
    "train",
]
