"""Principal components of a layer, fitted in one pass over data of any length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import UsageError

__all__ = ["Encoding", "Moments", "encode", "principal_components"]

WIDEST = 16384
"""Numbers in a layer beyond which its covariance matrix does not fit in memory (2 GiB)."""


@dataclass(frozen=True)
class Encoding:
    """A linear map to codes: mean [d], components [k, d] with orthonormal rows, and the share of variance kept."""

    mean: Float[Tensor, " d"]
    components: Float[Tensor, "k d"]
    variance: float


class Moments:
    """Count, mean [d] and scatter matrix [d, d] of rows that come in batches, in float64.

    Batches are merged by the update of Chan, Golub and LeVeque (1983, eq. 2.1), which does not
    cancel where the mean is large against the spread.

    >>> moments = Moments(1)
    >>> for batch in torch.tensor([[1.0], [2.0], [6.0]]).split(2):
    ...     moments.add(batch)
    >>> moments.mean.item(), moments.scatter.item()
    (3.0, 14.0)
    """

    def __init__(self, width: int):
        if width > WIDEST:
            raise UsageError(
                f"The 'pca' of keeping is for layers of at most {WIDEST} numbers. Got one of {width}. "
                "Set the 'pool' of keeping to true, or name another layer."
            )
        self.count = 0
        self.mean = torch.zeros(width, dtype=torch.float64)
        self.scatter = torch.zeros(width, width, dtype=torch.float64)

    def add(self, rows: Float[Tensor, "n d"]) -> None:
        """Take in more rows."""
        values = rows.double()
        mean = values.mean(0)
        centred, shift = values - mean, mean - self.mean
        total = self.count + len(values)
        self.scatter += centred.T @ centred
        self.scatter += torch.outer(shift, shift) * (self.count * len(values) / total)
        self.mean = self.mean + shift * (len(values) / total)
        self.count = total


def principal_components(moments: Moments, keep: int | float) -> Encoding:
    """The leading eigenvectors of the covariance: `keep` of them (int), or those that hold this share (float).

    A layer narrower than `keep` keeps its whole width. Of the two signs of a component the one
    is taken whose largest entry is positive.
    """
    values, vectors = torch.linalg.eigh(moments.scatter)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    total = values.sum()
    share = values.cumsum(0) / total if total > 0 else torch.ones_like(values)
    count = int((share < keep - 1e-12).sum()) + 1 if isinstance(keep, float) else keep
    count = min(count, len(values))
    components = vectors[:, :count].T
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    return Encoding(moments.mean.float(), (components * largest.sign()).float().contiguous(), float(share[count - 1]))


def encode(rows: Float[Tensor, "n d"], encoding: Encoding) -> Float[Tensor, "n k"]:
    """Codes: `(row - mean) · componentsᵀ`.

    >>> encode(torch.tensor([[3.0, 1.0]]), Encoding(torch.ones(2), torch.tensor([[1.0, 0.0]]), 1.0))
    tensor([[2.]])
    """
    return (rows.float() - encoding.mean) @ encoding.components.T
