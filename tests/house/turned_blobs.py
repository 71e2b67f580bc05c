"""Three classes on a circle, and a target that is turned: enough for an adaptation to show that it helps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from limbeck.core import Batch, Spec, Task
from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.networks.mlp import Mlp
from limbeck.training import Training, predict
from limbeck.training._engine import Engine, Step

__all__ = ["accuracy"]

TASK = Task("classification", ("a", "b", "c"))
N, STEPS, DEGREES = 300, 300, 45


def blobs(seed: int, degrees: float = 0.0) -> tuple[Tensor, Tensor]:
    """Points [n, 2] and their classes [n]."""
    labels = torch.arange(N) % 3
    angle = labels * (2 * math.pi / 3) + math.radians(degrees)
    centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    return centres + 0.35 * torch.randn(N, 2, generator=torch.Generator().manual_seed(seed)), labels


def accuracy(method: Method, seed: int) -> float:
    """The share of the turned target that the method's student gets right after a short training."""
    torch.manual_seed(seed)
    network = Mlp(hidden=[32, 32], batch_norm=False)
    network.build((2,), 3)
    student = Observed(network, method.student_layers())
    method.build(student, TASK, student.spec((2,)), Spec(0))
    (near, labels), (far, truth) = blobs(seed), blobs(seed + 100, DEGREES)
    settings = Training(epochs=1, batch_size=64, learning_rate=2e-3, precision="fp32", device="cpu")
    engine = Engine(method.train(), settings, seed)
    draw = torch.Generator().manual_seed(seed)
    for number in range(STEPS):
        rows, others = (torch.randperm(N, generator=draw)[:64] for _ in range(2))
        batches = {"source": Batch(near[rows], rows, labels[rows]), "target": Batch(far[others], others)}
        step = Step({name: batches[name] for name in method.reads()}, {})
        for _ in engine.update(step, number, number / STEPS):
            pass
    return float((predict(method.evaluated, far).argmax(1) == truth).float().mean())
