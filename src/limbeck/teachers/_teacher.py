from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

from torch import Tensor, nn

from limbeck.core import Domain, DomainView, Knowledge, Spec, Task

__all__ = ["Teacher"]


class Teacher(ABC):
    """The base of the room: a batch in, knowledge out, never with gradients.

    provides: of "logits" and "features". The life of a teacher: made with its settings, then
    `build` for a task, then trained where `trainable` gives a network, or shown the source by `fit`
    where it `learns`, then asked by `label`.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"logits"})

    def consults(self) -> tuple[str, ...]:
        """The names of the other teachers that it asks."""
        return ()

    def by_gap(self) -> bool:
        """Whether it wants to know how much each other teacher's source is like the target."""
        return False

    def join(self, members: Mapping[str, Teacher], shares: Mapping[str, float]) -> None:
        """Take the teachers that it `consults`, before `build`; shares: of their sources, where it goes `by_gap`."""
        assert not self.consults(), "a teacher that consults others takes them"

    @abstractmethod
    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        """Get ready for samples of `shape`; `layers` are the inner layers it will be asked for.

        `UsageError` where it knows other classes, or the same in another order.
        """

    def trainable(self) -> nn.Module | None:
        """The network that is to be trained on the source first; None where the teacher is ready as it is."""
        return None

    def learns(self) -> bool:
        """Whether `fit` shows it the source before it is asked: it learns, and not by steps of a network."""
        return False

    def fit(self, source: DomainView, seed: int) -> None:
        """Learn from the source's training rows, where it `learns`: the same from the same, in any process."""
        assert not self.learns(), "a teacher that learns says how"

    def body(self) -> nn.Module | None:
        """Its network, where a student can start as a copy of it."""
        return None

    def inputs(self, domain: Domain) -> Tensor:
        """A domain's inputs as this teacher wants them, [N, ...]."""
        return domain.inputs

    @abstractmethod
    def spec(self) -> Spec:
        """The width of its logits and the shapes of its layers."""

    @abstractmethod
    def label(self, inputs: Tensor) -> Knowledge:
        """What it says of inputs [n, ...]."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever its answers may change."""
