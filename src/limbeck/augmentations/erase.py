"""Rectangles wiped out."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import centres, check_images, each, exact_mean
from limbeck.core import Draws

__all__ = ["Erase"]


class Erase(Augmentation):
    """Set a random rectangle of an image to the mean of each of its channels, with a `probability`.

    Paper: Zhong et al. 2020, algorithm 1; here height and width are uniform in `[0, size)` of the side, and
    the rectangle lies uniformly where it is whole.

    >>> Erase()(torch.rand(2, 1, 8, 8), Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, size: Annotated[float, Ge(0), Le(1)] = 0.5, probability: Annotated[float, Ge(0), Le(1)] = 0.5):
        self.size = size
        self.probability = probability

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("erase", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        extent = draws.uniform("extent", size=(2,)) * self.size
        start = draws.uniform("start", size=(2,)) * (1 - extent)
        wiped = inside(start, extent, inputs) & (each(draws.uniform("whether")) < self.probability)
        return torch.where(wiped, exact_mean(inputs, 2), inputs)


def inside(
    start: Float[Tensor, "n 2"], extent: Float[Tensor, "n 2"], images: Float[Tensor, "n c h w"]
) -> Bool[Tensor, "n 1 h w"]:
    """Which pixels have their centre in the rectangle from `start`, of `extent`: shares of the height and the width."""
    near = []
    for side, size in enumerate(images.shape[2:]):
        place = (centres(size, images) + 1) / 2 - start[:, side, None]
        near.append((place >= 0) & (place < extent[:, side, None]))
    return (near[0][:, :, None] & near[1][:, None, :])[:, None]
