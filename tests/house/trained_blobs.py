"""The turned blobs in the whole loop, for methods that look at all of the target when an epoch begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from small_world import World, settings
from turned_blobs import TASK, N, blobs

from limbeck.core import Domain, Spec
from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.networks.mlp import Mlp
from limbeck.training import predict, train

__all__ = ["trained_accuracy"]

EPOCHS, DEGREES = 25, 40


def trained_accuracy(make: Callable[[], Method], folder: Path, seed: int) -> float:
    """The share of the turned target that the last student gets right."""
    torch.manual_seed(seed)
    (near, labels), (far, truth) = blobs(seed), blobs(seed + 100, DEGREES)
    order = np.arange(N)
    splits = {"train": order[:240], "selection": order[240:260], "test": order[260:]}
    source = Domain("source", "source", near, labels.numpy(), TASK, splits)
    target = Domain("target", "target", far, np.zeros(N, dtype=np.int64), TASK, {"labelled": order[:0], **splits})
    network = Mlp(hidden=[32, 32], batch_norm=False)
    network.build((2,), 3)
    method = make()
    student = Observed(network, method.student_layers())
    method.build(student, TASK, student.spec((2,)), Spec(0))
    domains = {"source": source.view(), "target": target.view()}
    training = settings(epochs=EPOCHS, batch_size=32, learning_rate=2e-3)
    job = World().job(folder / f"{seed}", make, training, seed)
    train(replace(job, method=method, domains=domains, stores={}))
    return float((predict(method.evaluated, far).argmax(1) == truth).float().mean())
