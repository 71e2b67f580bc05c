"""Elastic distortions."""

from __future__ import annotations

from functools import cache
from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import centres, check_images, sample_at
from limbeck.core import Draws

__all__ = ["Elastic"]

SPLINE = ((1, -3, 3, -1), (4, 0, -6, 3), (1, 3, 3, -3), (0, 0, 0, 1))
"""The four pieces of the uniform cubic B-spline times 6, by powers of the place within a cell."""


class Elastic(Augmentation):
    """Distort images as if drawn on rubber: each pixel is read at `p + d(p)`, where d is smooth and random.

    Paper: Simard et al. 2003, section 2; there random numbers are smoothed by a Gaussian, here they are the
    control points of a cubic B-spline (twice continuously differentiable), for the same field at any resolution.

    size: the standard deviation of d, as a share of the side (at the cells' corners; up to 16 % less within).
    cells: into how many a side is divided; fewer make longer waves.

    >>> Elastic(size=0.05)(torch.rand(2, 1, 8, 8), Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, size: Annotated[float, Ge(0)] = 0.03, cells: Annotated[int, Ge(1)] = 3):
        self.size = size
        self.cells = cells

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("elastic", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        high, wide = inputs.shape[2:]
        points = self.cells + 3
        # A share of the side is twice that on [−1, 1], and the spline halves the deviation of its control points.
        control = draws.normal("control", size=(2, points, points)) * (4 * self.size)
        field = spline_field(control, high, wide)
        return sample_at(
            inputs, field[:, 0] + centres(wide, inputs)[None, None, :], field[:, 1] + centres(high, inputs)[:, None]
        )


def spline_field(control: Float[Tensor, "n 2 k k"], high: int, wide: int) -> Float[Tensor, "n 2 {high} {wide}"]:
    """The cubic B-spline surfaces of k × k control points, over high × wide pixels.

    >>> spline_field(torch.ones(1, 2, 4, 4), 5, 7).sub(1).abs().max() < 1e-6
    tensor(True)
    """
    cells = control.shape[3] - 3
    rows, columns = (_basis(cells, size, control.device)[:, :, None] for size in (high, wide))
    across = sum_of_products(control.unbind(3), columns.squeeze(2), 3)
    return sum_of_products(across.unbind(2), rows, 2)


def sum_of_products(values: tuple[Tensor, ...], weights: Tensor, dim: int) -> Tensor:
    """`Σ_k values[k] · weights[k]` in this order for every element, which a matrix product does not promise."""
    total = values[0].unsqueeze(dim) * weights[0]
    product = torch.empty_like(total)
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total += torch.mul(value.unsqueeze(dim), weight, out=product)
    return total


@cache
def _basis(cells: int, size: int, device: torch.device) -> Float[Tensor, "points size"]:
    """How much each control point moves each pixel."""
    place = (torch.arange(size, dtype=torch.float64) + 0.5) * (cells / size)
    cell = place.long().clamp(max=cells - 1)
    within = (place - cell)[None] ** torch.arange(4)[:, None]
    pieces = torch.tensor(SPLINE, dtype=torch.float64) @ within / 6
    basis = torch.zeros(cells + 3, size, dtype=torch.float64)
    basis.scatter_(0, cell[None] + torch.arange(4)[:, None], pieces)
    return basis.float().to(device)
