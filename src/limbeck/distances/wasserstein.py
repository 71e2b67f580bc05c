"""Optimal transport: sliced, or exact through POT."""

from __future__ import annotations

import functools
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from limbeck.core import generator
from limbeck.distances._coupling import coupling
from limbeck.distances._distance import Distance
from limbeck.distances._points import full_precision, norm_of_square, points, squared_distances

__all__ = ["Wasserstein"]


class Wasserstein(Distance):
    """How far the points of one sample have to move to become the other one.

    Sliced: the root mean square over `projections` random directions of the exact one-dimensional
    W₂; the directions are fixed by `seed`. A shift by δ gives ‖δ‖/√d in expectation. `exact`: W₂ in all
    dimensions by linear programming, cubic in the points, so that at most `cap` points of each
    sample, drawn with `seed`, take part; a shift by δ gives ‖δ‖.

    Paper: Rabin et al. 2011 and Bonneel et al. 2015 (sliced); Peyré & Cuturi 2019, ch. 2 (exact).
    Range: ≥ 0, a length in the data's own unit, not its square; 0 for equal sets. For two samples of one
    distribution it is above 0. Its gradient is bounded, and 0 where the distance is 0.
    Errors: `UsageError` for unequal widths or an empty sample.

    >>> x = torch.arange(6.0).view(6, 1)
    >>> float(Wasserstein()(x, x + 2)), float(Wasserstein()(x, x))
    (2.0, 0.0)
    """

    def __init__(
        self,
        projections: Annotated[int, Ge(1)] = 128,
        seed: int = 0,
        exact: bool = False,
        cap: Annotated[int, Ge(1)] = 2000,
    ):
        self.projections = projections
        self.seed = seed
        self.exact = exact
        self.cap = cap

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        if self.exact:
            return exact_wasserstein(_capped(x, self.cap, self.seed), _capped(y, self.cap, self.seed))
        return sliced_wasserstein(x, y, self.projections, self.seed)


def sliced_wasserstein(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], projections: int = 128, seed: int = 0
) -> Float[Tensor, ""]:
    """Sliced W₂ over random directions (Bonneel et al. 2015, eq. 8).

    >>> round(float(sliced_wasserstein(torch.zeros(2, 1), torch.tensor([[4.0], [0.0], [0.0], [0.0]]))), 5)
    2.0
    """
    x, y = points("wasserstein", x, y)
    with full_precision(x):
        lines = torch.from_numpy(directions(x.shape[1], projections, seed)).to(x)
        return norm_of_square(squared_wasserstein_1d(x @ lines, y @ lines).mean())


def exact_wasserstein(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """W₂ between the two samples, all points weighing the same (POT's network simplex).

    >>> round(float(exact_wasserstein(torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]))), 5)
    5.0
    """
    x, y = points("wasserstein", x, y)
    with full_precision(x):
        plan = coupling(squared_distances(x.detach(), y.detach()))
    # The plan is constant where the points move a little, and differences of points lose nothing to rounding.
    rows, columns = plan.nonzero(as_tuple=True)
    return norm_of_square((plan[rows, columns] * (x[rows] - y[columns]).square().sum(1)).sum())


def squared_wasserstein_1d(x: Float[Tensor, "n lines"], y: Float[Tensor, "m lines"]) -> Float[Tensor, " lines"]:
    """Exact W₂² of each column: the integral of the squared difference of the two quantile functions.

    >>> squared_wasserstein_1d(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0]]))
    tensor([1.])
    """
    x_ranks, y_ranks, lengths = (torch.from_numpy(steps).to(x.device) for steps in quantile_steps(len(x), len(y)))
    differences = x.sort(0).values[x_ranks] - y.sort(0).values[y_ranks]
    return (lengths.to(x.dtype)[:, None] * differences.square()).sum(0)


@functools.lru_cache(maxsize=8)
def quantile_steps(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The steps on which both empirical quantile functions are constant: the rank in x, that in y, the length.

    >>> [steps.tolist() for steps in quantile_steps(1, 2)]
    [[0, 0], [0, 1], [0.5, 0.5]]
    """
    # Both functions jump at multiples of 1/n and of 1/m: whole numbers in units of 1/nm, free of rounding.
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    starts = np.concatenate([[0], ends[:-1]])
    return starts // m, starts // n, (ends - starts) / (n * m)


@functools.lru_cache(maxsize=8)
def directions(d: int, projections: int, seed: int) -> np.ndarray:
    """Directions drawn uniformly from the sphere, one a column: [d, projections]."""
    drawn = generator(seed, "wasserstein", "directions").standard_normal((d, projections))
    return drawn / np.linalg.norm(drawn, axis=0)


def _capped(x: Float[Tensor, "n d"], cap: int, seed: int) -> Float[Tensor, "capped d"]:
    if len(x) <= cap:
        return x
    rows = generator(seed, "wasserstein", "cap").permutation(len(x))[:cap]
    return x[torch.from_numpy(rows).to(x.device)]
