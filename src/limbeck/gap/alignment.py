"""How far two domains are apart in a network's features, cheap enough for every evaluation of a training."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import UsageError
from limbeck.distances import squared_distances
from limbeck.distances.mmd import gaussian_kernel, median_square, u_statistic

__all__ = ["FEWEST", "FeatureGap", "bandwidth_of", "feature_gap"]

FEWEST = 4
"""So many samples of each domain are compared at least: half of them are for the probe to learn from."""

RIDGE = 0.1
"""The penalty of the probe, beside a kernel whose diagonal is 1."""


class FeatureGap(NamedTuple):
    """mmd: the unbiased MMD², slightly negative for equal domains; probe: how often the domains are told apart."""

    mmd: float
    probe: float


def bandwidth_of(source: Float[Tensor, "n d"], target: Float[Tensor, "m d"]) -> float:
    """The median distance of the pooled points, > 0.

    >>> bandwidth_of(torch.zeros(1, 2), torch.full((1, 2), 3.0)) == math.sqrt(18)
    True
    """
    pooled = torch.cat([source, target]).float()
    return math.sqrt(float(median_square(squared_distances(pooled, pooled))))


def feature_gap(source: Float[Tensor, "n d"], target: Float[Tensor, "m d"], bandwidth: float) -> FeatureGap:
    """MMD² with one Gaussian kernel (Gretton et al. 2012, eq. 3), and the accuracy of a probe of the same kernel.

    The probe is a classifier that is the same at every call: least squares of ±1 in the kernel's space (each domain
    counts one half, ridge 0.1), found on every second point and scored on the others, each domain's accuracy counting
    one half: 0.5 is chance, 1 means that the domains are told apart. With a fixed `bandwidth` values of different
    checkpoints compare; features that shrink towards a point then lower both, since they tell nothing apart.

    Errors: `UsageError` for fewer than four points of a domain.

    >>> x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    >>> apart = feature_gap(x, x + 9, 1.0)
    >>> apart.mmd > 0.3, apart.probe
    (True, 1.0)
    """
    n, m = len(source), len(target)
    if min(n, m) < FEWEST:
        raise UsageError(f"A gap of features needs at least {FEWEST} samples of each domain. Got {n} and {m}.")
    kernel = gaussian_kernel(torch.cat([source, target]).float(), [1.0], bandwidth)
    first = torch.cat([kernel.new_ones(1, n), kernel.new_zeros(1, m)], dim=1)
    return FeatureGap(float(u_statistic(kernel, first, 1 - first)), _probe(kernel.double(), first[0] > 0))


def _probe(kernel: Tensor, is_source: Tensor) -> float:
    """Learn from the even places of each domain, predict the odd ones."""
    places = torch.cat([torch.arange(int(rows.sum())) for rows in (is_source, ~is_source)]).to(kernel.device)
    learn = places % 2 == 0
    known = is_source[learn]
    sizes = torch.where(known, known.sum(), (~known).sum()).double()  # a domain with more points weighs each less
    system = kernel[learn][:, learn] + torch.diag(RIDGE * 2 * sizes / len(known))
    weights = torch.linalg.solve(system, torch.where(known, 1.0, -1.0).double())
    right = (kernel[~learn][:, learn] @ weights > 0) == is_source[~learn]
    asked = is_source[~learn]
    return float((right[asked].double().mean() + right[~asked].double().mean()) / 2)
