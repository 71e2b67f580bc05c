"""A teacher small enough to be asked often, and views of what it is shown."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from torch import Tensor

from limbeck.core import FEATURES, Knowledge, Spec, Task, stream_seed
from limbeck.core.weights import fingerprint
from limbeck.teachers import Teacher

__all__ = ["CLASSES", "INPUTS", "LAYERS", "WIDTH", "N", "Noise", "Told"]

N, WIDTH, CLASSES = 53, 5, 6
INPUTS = torch.randn(N, WIDTH, generator=torch.Generator().manual_seed(0))
LAYERS = (FEATURES, "maps")


class Told(Teacher):
    """One hidden layer; counts what it is asked, and takes its time when told to."""

    provides = frozenset({"logits", "features"})

    def __init__(self, seed: int = 0, slow: float = 0.0):
        draw = torch.Generator().manual_seed(seed)
        self.inner = torch.randn(WIDTH, 8, generator=draw)
        self.head = torch.randn(8, CLASSES, generator=draw)
        self.asked, self.slow = 0, slow

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        pass

    def spec(self) -> Spec:
        return Spec(CLASSES, {FEATURES: (8,), "maps": (8, 2, 2)})

    def label(self, inputs: Tensor) -> Knowledge:
        self.asked += len(inputs)
        time.sleep(self.slow)
        inner = (inputs @ self.inner).relu()
        maps = inner[:, :, None, None] * torch.tensor([[1.0, 2.0], [3.0, 6.0]])
        return Knowledge(inner @ self.head, {FEATURES: inner, "maps": maps})

    def fingerprint(self) -> str:
        return fingerprint(self.inner, self.head)


class Noise:
    """Views that differ by noise, drawn by (sample, view)."""

    def __init__(self, count: int | None, seed: int = 0):
        self.count, self.seed = count, seed

    def inputs(self, inputs: Tensor, index: Tensor, view: int) -> Tensor:
        draws = [torch.Generator().manual_seed(stream_seed(self.seed, int(i), view)) for i in index]
        return inputs + torch.stack([torch.randn(WIDTH, generator=draw) for draw in draws])

    def identity(self) -> str:
        return f"noise {self.seed}"
