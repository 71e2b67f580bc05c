"""Correlation alignment."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from limbeck.distances._points import full_precision, points
from limbeck.distances._regroupable import Regroupable

__all__ = ["Coral"]


class Coral(Regroupable):
    """How far apart the covariances of the two samples lie; it does not see their means.

    ‖C_x − C_y‖²_F / 4d², with unbiased covariances (n − 1).

    Paper: Sun & Saenko 2016, eq. 1.
    Range: ≥ 0, in the fourth power of the data's unit; 0 for equal sets. For two samples of one
    distribution it is above 0 and falls as 1/n.
    Errors: `UsageError` for fewer than two points in a sample, or unequal widths.

    >>> import torch
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> float(Coral()(x, 2 * x))  # variances 2 and 8: 6² / 4
    9.0
    """

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        return coral(x, y)

    def regroup(
        self, pooled: Float[Tensor, "points d"], first: Float[Tensor, "p points"], second: Float[Tensor, "p points"]
    ) -> Float[Tensor, " p"]:
        # ‖C_x − C_y‖² = tr C_x² + tr C_y² − 2 tr C_x C_y, and each trace is a sum of squared inner products.
        gram = inner_products(pooled)
        x, y = Side.of(gram, first.double()), Side.of(gram, second.double())
        squared = trace(x, x) + trace(y, y) - 2 * trace(x, y)
        return (squared.clamp(min=0) / (4 * pooled.shape[1] ** 2)).to(pooled.dtype)


def coral(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """‖C_x − C_y‖²_F / 4d² (Sun & Saenko 2016, eq. 1).

    >>> import torch
    >>> x = torch.tensor([[-1.0, 0.0], [1.0, 3.0], [0.0, 2.0]])
    >>> round(float(coral(x, x + 5)), 6), round(float(coral(x, 2 * x)), 4)  # C_x = [[1, 1.5], [1.5, 7/3]]
    (0.0, 6.1562)
    """
    x, y = points("coral", x, y, least=2)
    with full_precision(x):
        width = x.shape[1]
        if width <= len(x) + len(y):
            return (covariance(x) - covariance(y)).square().sum() / (4 * width**2)
        # ‖AᵀA − BᵀB‖² = ‖AAᵀ‖² + ‖BBᵀ‖² − 2‖ABᵀ‖²: of few wide points inner products are fewer than covariances.
        a, b = ((part - part.mean(0)).double() / (len(part) - 1) ** 0.5 for part in (x, y))
        squared = (a @ a.T).square().sum() + (b @ b.T).square().sum() - 2 * (a @ b.T).square().sum()
        return (squared.clamp(min=0) / (4 * width**2)).to(x.dtype)


def covariance(x: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """The unbiased covariance of the columns."""
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def inner_products(pooled: Float[Tensor, "points d"]) -> Float[Tensor, "points points"]:
    """Inner products of the points around their mean, in float64: traces are small differences of large sums."""
    centred = pooled.double() - pooled.double().mean(0)
    return centred @ centred.T


@dataclass(frozen=True)
class Side:
    """One of the two groups, p times over: its members, and each point's inner products with them."""

    members: Float[Tensor, "p points"]
    means: Float[Tensor, "p points"]
    square_sums: Float[Tensor, "p points"]

    @classmethod
    def of(cls, gram: Float[Tensor, "points points"], members: Float[Tensor, "p points"]) -> Side:
        return cls(members, members @ gram / members.sum(1, keepdim=True), members @ gram.square())


def trace(a: Side, b: Side) -> Float[Tensor, " p"]:
    """tr(C_a C_b) of p groupings: the squared norm of the doubly centred block of the Gram matrix."""
    n, m = a.members.sum(1), b.members.sum(1)
    total = (a.square_sums * b.members).sum(1)
    rows = (a.members * b.means.square()).sum(1)
    columns = (b.members * a.means.square()).sum(1)
    mean = (a.members * b.means).sum(1) / n
    return (total - m * rows - n * columns + n * m * mean.square()) / ((n - 1) * (m - 1))
