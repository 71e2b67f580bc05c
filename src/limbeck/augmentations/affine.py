"""Random affine maps: turn, scale, shear and shift in one warp."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images, turned, warp
from limbeck.core import Draws

__all__ = ["Affine"]


class Affine(Augmentation):
    """Turn, scale, shear and shift images in one warp, which blurs them once; outside, the border repeats.

    `out(p) = in(K R (p − t) / s)`, p in pixels from the centre: R turns by up to `degrees`, s lies between
    1/(1 + scale) and 1 + scale, uniform in its logarithm, K = [[1, k], [0, 1]] with |k| ≤ shear, and t is up
    to `shift` of each side.

    >>> Affine(shift=0.1)(torch.rand(2, 1, 8, 8), Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        degrees: Annotated[float, Ge(0), Le(180)] = 10.0,
        scale: Annotated[float, Ge(0)] = 0.1,
        shear: Annotated[float, Ge(0)] = 0.1,
        shift: Annotated[float, Ge(0), Le(1)] = 0.05,
    ):
        self.degrees = degrees
        self.scale = scale
        self.shear = shear
        self.shift = shift

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("affine", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        angle, scale, shear, *shift = draws.uniform("map", size=(5,)).mul(2).sub(1).unbind(1)
        factor = (scale.double() * math.log1p(self.scale)).exp().float()
        matrix = affine_matrix(angle * self.degrees, factor, shear * self.shear)
        return warp(inputs, matrix, torch.stack(shift, 1) * self.shift)


def affine_matrix(
    angle: Float[Tensor, " n"], scale: Float[Tensor, " n"], shear: Float[Tensor, " n"]
) -> Float[Tensor, "n 2 2"]:
    """`K R / s`: from places in the result to places in the image; angle in degrees, counter-clockwise.

    >>> affine_matrix(torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([0.5]))
    tensor([[[0.5000, 0.2500],
             [0.0000, 0.5000]]])
    """
    above, below = turned(angle).unbind(1)
    return torch.stack([above + shear[:, None] * below, below], 1) / scale[:, None, None]
