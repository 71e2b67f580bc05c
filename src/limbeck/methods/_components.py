"""Directions in which two domains, and classes of them, have the same mean: TCA and JDA."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["mean_differences", "transfer_directions"]


def transfer_directions(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    differences: Float[Tensor, "c d"],
    penalty: float,
    count: int,
) -> Float[Tensor, "d count"]:
    """Directions A of least `tr Aᵀ(Σ_k δ_k δ_kᵀ + penalty I)A` for `Aᵀ S A = I`, S the scatter of all rows.

    The generalised eigenproblem `(Σ δδᵀ + penalty I) a = φ S a`, solved for its smallest φ. With linear kernels the
    sum over the differences of means is `X M Xᵀ` of the papers (Long et al. 2013, eq. 8).

    >>> x = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> A = transfer_directions(x, x, torch.tensor([[1.0, 0.0]]), 0.1, 1)  # the means differ in the first feature
    >>> A.abs().round(decimals=1).flatten().tolist()
    [0.0, 0.5]
    """
    rows = torch.cat([x, y])
    centred = rows - rows.mean(0)
    left = differences.T @ differences + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    root = torch.linalg.cholesky(left)
    half = torch.linalg.solve_triangular(root, centred.T, upper=False)  # of the scatter, seen from the left side
    values, vectors = torch.linalg.eigh(half @ half.T)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    found = values > values[0].clamp(min=1e-12) * 1e-12  # beyond the rows' rank there is no direction
    scale = torch.where(found, values, 1.0).rsqrt() * found
    return torch.linalg.solve_triangular(root.T, vectors, upper=True) * scale


def mean_differences(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    labels: Int[Tensor, " n"] | None = None,
    guessed: Int[Tensor, " m"] | None = None,
) -> Float[Tensor, "c d"]:
    """The difference of the domains' means, and with labels those of each class that both have.

    >>> mean_differences(torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0]])).tolist()
    [[1.5]]
    """
    found = [x.mean(0) - y.mean(0)]
    if labels is not None and guessed is not None:
        for label in labels.unique():
            own, other = x[labels == label], y[guessed == label]
            if len(other):
                found.append(own.mean(0) - other.mean(0))
    return torch.stack(found)
