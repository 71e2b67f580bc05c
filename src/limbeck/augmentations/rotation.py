"""Random rotations."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images, turned, warp
from limbeck.core import Draws

__all__ = ["Rotation"]


class Rotation(Augmentation):
    """Turn images around their centre by an angle uniform in `[−degrees, degrees)`; corners repeat the border.

    Values between pixels are interpolated linearly. The image is turned in pixels, so a circle stays one.

    >>> import torch
    >>> Rotation(degrees=30)(torch.rand(2, 1, 8, 8), Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, degrees: Annotated[float, Ge(0), Le(180)] = 15.0):
        self.degrees = degrees

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("rotation", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        return rotated(inputs, draws.uniform("angle").mul(2).sub(1) * self.degrees)


def rotated(inputs: Float[Tensor, "n c h w"], angle: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Images turned by angles in degrees, counter-clockwise.

    >>> import torch
    >>> rotated(torch.arange(4.0).view(1, 1, 2, 2), torch.tensor([90.0])).round()
    tensor([[[[1., 3.],
              [0., 2.]]]])
    """
    return warp(inputs, turned(angle), inputs.new_zeros(len(inputs), 2))
