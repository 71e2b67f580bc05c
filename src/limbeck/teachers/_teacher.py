from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from limbeck.core import Knowledge, Spec

__all__ = ["Teacher"]


class Teacher(ABC):
    """The base of the room: a batch in, knowledge out, never with gradients.

    provides: of "logits" and "features". `layers` are the inner layers it is asked for.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"logits"})

    @abstractmethod
    def spec(self) -> Spec:
        """The width of its logits and the shapes of its layers."""

    @abstractmethod
    def label(self, inputs: Tensor) -> Knowledge:
        """What it says of prepared inputs [n, ...]."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever its answers may change."""
