"""Gaussian blur."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images
from limbeck.core import Draws

__all__ = ["Blur"]


class Blur(Augmentation):
    """Blur images with a Gaussian whose standard deviation is uniform in `[0, size)` of the shorter side.

    Weights `exp(−k²/2σ²)`, normalised, up to three standard deviations; outside, the border repeats.

    >>> Blur()(torch.rand(2, 1, 8, 8), Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, size: Annotated[float, Ge(0), Le(0.25)] = 0.03):
        self.size = size

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("blur", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        largest = self.size * min(inputs.shape[2:])
        return blurred(inputs, draws.uniform("size") * largest, math.ceil(3 * largest))


def blurred(inputs: Float[Tensor, "n c h w"], deviation: Float[Tensor, " n"], reach: int) -> Float[Tensor, "n c h w"]:
    """Images blurred by Gaussians of these standard deviations in pixels, cut off after `reach` pixels.

    >>> image = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).view(1, 1, 1, 5)
    >>> blurred(image, torch.tensor([0.0]), 2).equal(image)
    True
    """
    squares = torch.arange(reach + 1, device=inputs.device, dtype=torch.float64).square()
    # −0/0 at the centre of a Gaussian without width is a weight of 1.
    exponent = (-squares / (2 * deviation.double()[:, None].square())).nan_to_num(nan=0.0, neginf=-math.inf)
    taps = exponent.exp().unbind(1)
    total = taps[0] + 2 * sum(taps[1:], torch.zeros_like(taps[0]))
    weights = [(tap / total).to(inputs.dtype)[:, None, None, None] for tap in taps]
    for dim in (2, 3):
        size = inputs.shape[dim]
        padded = pad(inputs, (0, 0, reach, reach) if dim == 2 else (reach, reach, 0, 0), mode="replicate")
        inputs = inputs * weights[0]
        for k in range(1, reach + 1):
            sides = padded.narrow(dim, reach - k, size) + padded.narrow(dim, reach + k, size)
            inputs += sides.mul_(weights[k])
    return inputs
