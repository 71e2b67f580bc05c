from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor

from limbeck.augmentations._augmentation import Augmentation
from limbeck.core import Draws, bad_value

__all__ = ["Views"]


class Views:
    """Views of samples: augmentations one after another, as a function of (seed, sample, view).

    seed: of all their draws; samples of different domains share their places, so give each domain its own.
    count: how many views there are, of which each passage over the data shows the next and then the first
    again; None for views without end, which no store can hold.

    >>> import torch
    >>> views = Views([], seed=0, count=4)
    >>> views.view_of(5), views.inputs(torch.ones(2, 3), torch.tensor([0, 1]), 1).sum()
    (1, tensor(6.))
    """

    def __init__(self, parts: Sequence[Augmentation], seed: int, count: int | None):
        if count is not None and count < 1:
            raise bad_value("count", "views", "at least 1, or None for views without end", count)
        self.parts = tuple(parts)
        self.seed = seed
        self.count = count

    @property
    def mixes(self) -> bool:
        """Whether a part combines samples of a batch."""
        return any(part.mixes for part in self.parts)

    def check(self, shape: tuple[int, ...]) -> None:
        """`UsageError` where samples of this shape do not suit a part."""
        for part in self.parts:
            part.check(shape)

    def inputs(
        self, inputs: Float[Tensor, " n *shape"], index: Int[Tensor, " n"], view: int
    ) -> Float[Tensor, " n *shape"]:
        """The samples as they look in a view: bit-equal whenever it is drawn, in whatever batch."""
        draws = Draws(self.seed, index, view)
        for place, part in enumerate(self.parts):
            # Two parts of one kind draw apart from each other because their places differ.
            inputs = part(inputs, draws.named(place, type(part).__module__))
        return inputs

    def view_of(self, passage: int) -> int:
        """Which view a passage over the data shows."""
        return passage if self.count is None else passage % self.count

    def identity(self) -> str:
        """What they are: equal identities give equal views."""
        parts = ", ".join(part.identity() for part in self.parts)
        return f"views([{parts}], seed={self.seed}, count={self.count})"
