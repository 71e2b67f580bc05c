"""Features left out of tables and vectors."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.core import Draws, UsageError

__all__ = ["Mask"]


class Mask(Augmentation):
    """Set each feature of a table or vector to 0 with a `probability`; 0 is the source's mean after standardising.

    The corruption of Vincent et al. 2008, section 2.3: unlike in dropout, the rest is not scaled up.

    >>> import torch
    >>> Mask(probability=0.0)(torch.ones(2, 3), Draws(0, torch.arange(2))).sum()
    tensor(6.)
    """

    def __init__(self, probability: Annotated[float, Ge(0), Lt(1)] = 0.1):
        self.probability = probability

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 1:
            raise UsageError(
                f"The samples of mask must be rows of features, [features]. Got {list(shape)}. "
                "For images write erase in its place."
            )

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        kept = draws.uniform("mask", size=tuple(inputs.shape[1:])) >= self.probability
        return inputs.where(kept, inputs.new_zeros(()))
