"""Strokes made thicker or thinner."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images, each
from limbeck.core import Draws

__all__ = ["Thickness"]


class Thickness(Augmentation):
    """Make bright strokes thicker or thinner by a random amount, between the image and its dilation or erosion.

    `x + max(a, 0)·(dilation − x) + max(−a, 0)·(erosion − x)`, a uniform in [−strength, strength): the grey-value
    dilation and erosion of Serra 1982 with a square of side 2r + 1, r being `radius` of the shorter side and at
    least one pixel. Where strokes are dark, thick and thin change places.

    >>> Thickness()(torch.rand(2, 1, 8, 8), Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        strength: Annotated[float, Ge(0), Le(1)] = 1.0,
        radius: Annotated[float, Gt(0), Le(0.25)] = 0.036,
    ):
        self.strength = strength
        self.radius = radius

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("thickness", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        radius = max(1, round(self.radius * min(inputs.shape[2:])))
        return thickened(inputs, draws.uniform("amount").mul(2).sub(1) * self.strength, radius)


def thickened(inputs: Float[Tensor, "n c h w"], amount: Float[Tensor, " n"], radius: int) -> Float[Tensor, "n c h w"]:
    """Between erosion (amount −1), the image (0) and dilation (1), with a square of side 2·radius + 1.

    >>> image = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(1, 1, 1, 4)
    >>> thickened(image, torch.tensor([0.5]), 1).flatten(), thickened(image, torch.tensor([-1.0]), 1).flatten()
    (tensor([0.0000, 0.5000, 1.0000, 1.0000]), tensor([0., 0., 0., 1.]))
    """
    # One search serves both: erosion is the dilation of the negative, and only the sign that is wanted is made.
    signed = inputs * (1 - 2 * (each(amount) < 0).to(inputs.dtype))
    dilated = signed
    for dim in (2, 3):
        padded = pad(dilated, (0, 0, radius, radius) if dim == 2 else (radius, radius, 0, 0), mode="replicate")
        dilated = padded.narrow(dim, 0, inputs.shape[dim])
        for k in range(1, 2 * radius + 1):
            dilated = torch.maximum(dilated, padded.narrow(dim, k, inputs.shape[dim]))
    return inputs + each(amount) * (dilated - signed)
