"""Maximum mean discrepancy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Gt, MinLen
from jaxtyping import Float
from torch import Tensor

from limbeck.distances._points import full_precision, points, squared_distances
from limbeck.distances._regroupable import Regroupable

__all__ = ["Mmd"]

MULTIPLIERS = (0.25, 0.5, 1.0, 2.0, 4.0)

NARROWEST = 1e-30
"""The least variance of a kernel: one over it is still a number in float32."""


class Mmd(Regroupable):
    """How far apart the means of smooth functions lie in the two samples; it sees any difference, given enough points.

    MMD² with a mean of Gaussian kernels exp(−‖x − y‖² / 2(bσ)²), one for each multiplier b in
    `bandwidths`; σ is `scale`, or the median distance of the pooled points.

    Paper: Gretton et al. 2012, eq. 3 (the unbiased U-statistic); the mean of kernels as in Long
    et al. 2015, with equal weights.
    Range: [−1/n − 1/m, 2], without unit. It is 0 in expectation for equal distributions, so an estimate
    may be slightly below 0, as it is for a sample and its own copy: −2/n · (1 − mean kernel of two points).
    Errors: `UsageError` for fewer than two points in a sample, or unequal widths.

    >>> x = torch.arange(50.0).view(50, 1)
    >>> bool(Mmd()(x, x) < 0), bool(Mmd()(x, x + 100) > 0.5)
    (True, True)
    """

    def __init__(
        self,
        bandwidths: Annotated[Sequence[Annotated[float, Gt(0)]], MinLen(1)] = MULTIPLIERS,
        scale: Annotated[float, Gt(0)] | None = None,
    ):
        self.bandwidths = tuple(bandwidths)
        self.scale = scale

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        return squared_mmd(x, y, self.bandwidths, self.scale)

    def regroup(
        self, pooled: Float[Tensor, "points d"], first: Float[Tensor, "p points"], second: Float[Tensor, "p points"]
    ) -> Float[Tensor, " p"]:
        return u_statistic(gaussian_kernel(pooled, self.bandwidths, self.scale), first, second)


def squared_mmd(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    bandwidths: Sequence[float] = MULTIPLIERS,
    scale: float | None = None,
) -> Float[Tensor, ""]:
    """The unbiased estimate of MMD² (Gretton et al. 2012, eq. 3); no gradient flows through the median.

    >>> float(squared_mmd(torch.zeros(2, 1), torch.full((3, 1), 9.0), bandwidths=[1.0], scale=1.0))
    2.0
    """
    x, y = points("mmd", x, y, least=2)
    with full_precision(x):
        kernel = gaussian_kernel(torch.cat([x, y]), bandwidths, scale)
        first = torch.cat([x.new_ones(1, len(x)), x.new_zeros(1, len(y))], dim=1)
        return u_statistic(kernel, first, 1 - first)[0]


def gaussian_kernel(
    pooled: Float[Tensor, "points d"], bandwidths: Sequence[float], scale: float | None = None
) -> Float[Tensor, "points points"]:
    """The mean of Gaussian kernels of the bandwidths b·scale; scale None is the median distance of the points."""
    squared = squared_distances(pooled, pooled)
    variance = median_square(squared) if scale is None else squared.new_tensor(scale**2)
    variance = variance.clamp(min=NARROWEST)
    kernel = torch.zeros_like(squared)
    for b in bandwidths:
        kernel = kernel + torch.exp(squared / (-2 * b**2 * variance))
    return kernel / len(bandwidths)


def median_square(squared: Float[Tensor, "points points"]) -> Float[Tensor, ""]:
    """The median squared distance of two different points, detached and never 0."""
    rows, columns = torch.triu_indices(len(squared), len(squared), offset=1, device=squared.device)
    pairs = squared.detach()[rows, columns]
    mean, median = pairs.mean(), pairs.median()
    # Where most points coincide the median is 0 up to rounding: then the mean serves, or 1 where all are one point.
    median = torch.where(median > 1e-6 * mean, median, mean)
    return torch.where(median > 0, median, torch.ones_like(median))


def u_statistic(
    kernel: Float[Tensor, "points points"], first: Float[Tensor, "p points"], second: Float[Tensor, "p points"]
) -> Float[Tensor, " p"]:
    """MMD² of p groupings of the same points: mean kernel within each group, without a point's own, less twice across.

    >>> u_statistic(torch.eye(4), torch.tensor([[1.0, 1, 0, 0]]), torch.tensor([[0.0, 0, 1, 1]]))
    tensor([0.])
    """
    n, m = first.sum(1), second.sum(1)
    to_first, to_second, own = first @ kernel, second @ kernel, kernel.diagonal()
    within_first = (first * (to_first - own)).sum(1) / (n * (n - 1))
    within_second = (second * (to_second - own)).sum(1) / (m * (m - 1))
    return within_first + within_second - 2 * (first * to_second).sum(1) / (n * m)
