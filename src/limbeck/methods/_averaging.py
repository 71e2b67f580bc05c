from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn

from limbeck.core import Spec, Task
from limbeck.methods._composed import Composed
from limbeck.networks import Observed

__all__ = ["Averaged", "move_towards"]


class Averaged(Composed):
    """The base of the methods that are evaluated by an average of the student over its steps.

    `θ' ← θ' + a (θ − θ')`, `a = max(1/(t + 1), 1 − decay)`: the plain mean of all steps, until `decay` forgets the
    first. `steps` counts t on the device, so that nobody waits for it.
    """

    decay: float
    steps: Tensor

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        self.average = copy.deepcopy(student).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def evaluated(self) -> Observed:
        return self.average

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.average.eval()
        return self

    @torch.no_grad()
    def move_average(self) -> None:
        """One step of the average; the caller counts it."""
        share = (1 / (self.steps + 1)).clamp(min=1 - self.decay)
        move_towards(self.average.network, self.student.network, share)


@torch.no_grad()
def move_towards(average: nn.Module, network: nn.Module, share: Tensor) -> None:
    """`θ' ← (1 − share) θ' + share θ` for every parameter and buffer; integers, such as counters, are taken over.

    share: a scalar on the device of both, so that nobody waits for it.

    >>> average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> expected = (3 * average.weight + network.weight) / 4
    >>> move_towards(average, network, torch.tensor(0.25))
    >>> torch.allclose(average.weight, expected)
    True
    """
    new = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(new[name], share.to(value.dtype))
        else:
            value.copy_(new[name])
