"""What augmentations of images share: the check of shapes, warps, and means that do not depend on order."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from limbeck.core import UsageError

__all__ = ["centres", "check_images", "each", "exact_mean", "sample_at", "turned", "warp"]

FINENESS = 2.0**20


def check_images(owner: str, shape: tuple[int, ...]) -> None:
    """`UsageError` where a sample is not an image [c, h, w]."""
    if len(shape) != 3:
        raise UsageError(
            f"The samples of {owner} must be images, [channels, height, width]. Got {list(shape)}. "
            f"Leave {owner} out for these data; noise and mask suit tables and vectors."
        )


def each(values: Float[Tensor, " n"]) -> Float[Tensor, "n 1 1 1"]:
    """One value per sample, in a shape that multiplies images."""
    return values[:, None, None, None]


def exact_mean(inputs: Float[Tensor, " n *shape"], first: int = 1) -> Float[Tensor, "n ..."]:
    """The mean over the dimensions from `first` on, kept as ones; to 2⁻²⁰, and to the same bit in whatever order.

    >>> exact_mean(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
    tensor([[1.5000],
            [4.0000]])
    """
    dims = tuple(range(first, inputs.ndim))
    # Sums of floats depend on how kernels group them; sums of integers do not.
    total = inputs.mul(FINENESS).round_().long().sum(dims, keepdim=True)
    return (total.double() / (FINENESS * inputs.shape[first:].numel())).to(inputs.dtype)


def centres(size: int, like: Tensor) -> Float[Tensor, " size"]:
    """Where the pixels of a side lie, between −1 and 1.

    >>> centres(4, torch.zeros(1))
    tensor([-0.7500, -0.2500,  0.2500,  0.7500])
    """
    return (2 * torch.arange(size, device=like.device, dtype=torch.float32) + 1) / size - 1


def sample_at(
    inputs: Float[Tensor, "n c h w"], x: Float[Tensor, "#n h w"], y: Float[Tensor, "#n h w"]
) -> Float[Tensor, "n c h w"]:
    """The images read at (x, y), in [−1, 1] over each side, between pixels linearly; outside, the border's value."""
    grid = torch.stack([x, y], 3).to(inputs.dtype)
    return grid_sample(inputs, grid, mode="bilinear", padding_mode="border", align_corners=False)


def turned(angle: Float[Tensor, " n"]) -> Float[Tensor, "n 2 2"]:
    """The matrices [[cos, −sin], [sin, cos]] of angles in degrees."""
    radians = angle.double().deg2rad()  # rounded from float64: kernels differ in the last bit of a float32 sine
    cos, sin = radians.cos().float(), radians.sin().float()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def warp(
    inputs: Float[Tensor, "n c h w"], matrix: Float[Tensor, "n 2 2"], shift: Float[Tensor, "n 2"]
) -> Float[Tensor, "n c h w"]:
    """Images whose value at p is the old one at M (p − shift): p = (x, y) in pixels from the centre, y downwards.

    shift: as a share of the width and of the height.

    >>> image, still = torch.arange(4.0).view(1, 1, 2, 2), torch.eye(2)[None]
    >>> warp(image, still, torch.tensor([[0.5, 0.0]]))
    tensor([[[[0., 0.],
              [2., 2.]]]])
    """
    high, wide = inputs.shape[2:]
    x = (centres(wide, inputs) - 2 * shift[:, :1])[:, None, :]
    y = (centres(high, inputs) - 2 * shift[:, 1:])[:, :, None]
    (a, b), (c, d) = ((row[:, 0, None, None], row[:, 1, None, None]) for row in matrix.unbind(1))
    return sample_at(inputs, a * x + b * (high / wide) * y, c * (wide / high) * x + d * y)
