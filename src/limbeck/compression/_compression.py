from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from limbeck.compression._forms import Runtime, form_of
from limbeck.compression._layers import weighted_layers
from limbeck.core import UsageError
from limbeck.export import Export

__all__ = ["TUNING", "Compression", "with_still_zeros"]

TUNING = {
    "classification": {"distill": {"objectives": ["kl"]}},
    "regression": {"distill": {"objectives": ["mean_squared_error"]}},
}
"""How a step is fine-tuned where the recipe does not say: by what a teacher says of the target, by kind of task."""


class Compression(ABC):
    """The base of the room: a trained network in, a smaller one that does the same out.

    The life of a step, once for each of its `rounds`: `shrunk`, then, where `tuned`, `held` is
    fine-tuned in its place, and its weights are those of the step. by_itself: fine-tuning is taught
    by the student as it was before any step, where the recipe names no other teacher. training: what
    fine-tuning changes in the row's training, whatever the recipe says.
    """

    by_itself: ClassVar[bool] = False
    training: ClassVar[Mapping[str, Any]] = {}

    @property
    def runtime(self) -> Runtime:
        """What runs the student after it."""
        return "torch"

    @property
    def form(self) -> Export | None:
        """The format of the file that the student has become, where it is no longer a network of PyTorch.

        Nothing comes after such a step.
        """
        return form_of(self.runtime)

    @property
    def tuned(self) -> bool:
        return True

    @property
    def rounds(self) -> int:
        """Shrinking and fine-tuning in so many turns."""
        return 1

    def shrunk(self, network: nn.Module, inputs: Tensor, turn: int = 0) -> nn.Module:
        """A smaller copy, ready to be fine-tuned; the network itself stays as it is.

        inputs: [n, ...] unlabelled samples of the target. turn: counts the rounds. `UsageError`
        where the network cannot be made smaller in this way.
        """
        return copy.deepcopy(network)

    def held(self, network: nn.Module, inputs: Tensor) -> nn.Module:
        """What is fine-tuned in the network's place; its state dict has the same keys and shapes.

        Weights of matrices that are zero, from this step or one before, stay zero.
        """
        return with_still_zeros(network)

    @abstractmethod
    def check(self, network: nn.Module, inputs: Tensor) -> None:
        """`UsageError` where the step would fail, told before anything trains; inputs: a few samples."""

    def write(self, network: nn.Module, inputs: Tensor, path: Path, about: Mapping[str, Any]) -> None:
        """Where it has a `form`: write its file, whole or not at all; `about` (JSON) goes into it where it can."""
        raise UsageError(f"{type(self).__name__} writes no file: its student is a network.")


def with_still_zeros(network: nn.Module) -> nn.Module:
    """The network, whose zero weights have no gradient: they stay zero, under momentum and weight decay too."""
    for layer in weighted_layers(network).values():
        weight = layer.weight
        if not bool(weight.all()):
            weight.register_hook(lambda gradient, weight=weight: gradient * (weight != 0))
    return network
