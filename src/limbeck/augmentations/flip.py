"""Mirror images."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images, each
from limbeck.core import Draws

__all__ = ["Flip"]


class Flip(Augmentation):
    """Mirror images left to right, or top to bottom, or both: `out[y, x] = in[y, w − 1 − x]`.

    horizontal, vertical: the probabilities of each.

    >>> images = torch.arange(3.0).view(1, 1, 1, 3)
    >>> Flip(horizontal=1.0)(images, Draws(0, torch.arange(1)))
    tensor([[[[2., 1., 0.]]]])
    """

    def __init__(
        self, horizontal: Annotated[float, Ge(0), Le(1)] = 0.5, vertical: Annotated[float, Ge(0), Le(1)] = 0.0
    ):
        self.horizontal = horizontal
        self.vertical = vertical

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("flip", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        for name, probability, dim in (("horizontal", self.horizontal, 3), ("vertical", self.vertical, 2)):
            if probability:
                inputs = torch.where(each(draws.uniform(name)) < probability, inputs.flip(dim), inputs)
        return inputs
