from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

__all__ = ["Compression"]


class Compression(ABC):
    """The base of the room: a trained network in, a smaller one that does the same out.

    The life of a step: `shrunk`, then fine-tuned between `hold` and `release`, once for each of
    its `rounds`. tuned: whether it is fine-tuned at all. by_itself: its fine-tuning is taught by
    the student as it was before any step, where the recipe names no other teacher. training: what
    its fine-tuning changes in the row's training, whatever the recipe says.
    """

    tuned: ClassVar[bool] = True
    by_itself: ClassVar[bool] = False
    training: ClassVar[Mapping[str, Any]] = {}

    @property
    def rounds(self) -> int:
        """Shrinking and fine-tuning in so many turns."""
        return 1

    @abstractmethod
    def shrunk(self, network: nn.Module, inputs: Tensor, turn: int = 0) -> nn.Module:
        """A smaller copy, ready to be fine-tuned; the network itself stays as it is.

        inputs: [n, ...] unlabelled samples of the target. turn: counts the rounds. `UsageError`
        where the network cannot be made smaller in this way.
        """

    def hold(self, network: nn.Module, inputs: Tensor) -> None:  # noqa: B027 (most steps need nothing held)
        """Called before fine-tuning: see that training keeps what `shrunk` gave, such as zeros."""

    def check(self, network: nn.Module, inputs: Tensor) -> None:
        """`UsageError` where `shrunk` would fail, told before anything trains."""
        self.shrunk(network, inputs)
