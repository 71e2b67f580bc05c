"""Where a training gets knowledge from: the stored answers, or the teacher itself, with one face."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from torch import Tensor

from limbeck.core import Knowledge, Spec
from limbeck.teachers import Teacher

__all__ = ["Live", "Reader", "ViewsLike"]


@runtime_checkable
class ViewsLike(Protocol):
    """Augmented views of samples: a function of (sample, view) alone, whatever the batch."""

    @property
    def count(self) -> int | None:
        """How many views there are of each sample; None where there is no end to them."""

    def inputs(self, inputs: Tensor, index: Tensor, view: int) -> Tensor:
        """One view of samples: their inputs [n, ...] and their places `index` [n] in the domain."""

    def identity(self) -> str:
        """Changes whenever a view may change."""


@runtime_checkable
class Reader(Protocol):
    """Knowledge by sample and view."""

    def read(self, index: Tensor, view: int = 0) -> Knowledge:
        """What the teacher says of one view of the samples at `index` [n] of the domain."""

    def spec(self) -> Spec:
        """The width of the logits and the shapes of the layers that `read` gives."""


class Live:
    """A teacher that answers when it is read: the face of a store, and nothing stored.

    inputs: the domain's inputs as the teacher wants them, [N, ...]. ask: as in `Labelling`.
    """

    def __init__(
        self,
        teacher: Teacher,
        inputs: Tensor,
        views: ViewsLike | None = None,
        ask: Callable[[Tensor], Knowledge] | None = None,
    ):
        self.teacher = teacher
        self.inputs = inputs
        self.views = views
        self.ask = ask or teacher.label
        self.turn = threading.Lock()  # a teacher answers one at a time; several workers may get batches ready

    def read(self, index: Tensor, view: int = 0) -> Knowledge:
        """What the teacher says of one view of the samples at `index` [n]."""
        shown = seen(self.inputs, index, view, self.views)
        with self.turn:
            return self.ask(shown)

    def spec(self) -> Spec:
        return self.teacher.spec()


def seen(inputs: Tensor, index: Tensor, view: int, views: ViewsLike | None) -> Tensor:
    """What the teacher is shown: a view of the samples at `index`."""
    chosen = inputs[index]
    return chosen if views is None else views.inputs(chosen, index, view)
