"""Features of all the subspaces on the shortest way from one domain's to the other's."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["geodesic_map", "principal_directions"]


def geodesic_map(start: Float[Tensor, "d k"], end: Float[Tensor, "d k"]) -> Float[Tensor, "d k2"]:
    """A map B [d, 2k] with `B Bᵀ = ∫₀¹ Φ(t) Φ(t)ᵀ dt`, Φ(t) the geodesic flow from one subspace to the other.

    So rows x B have the inner products of the geodesic flow kernel (Gong et al. 2012). start, end:
    orthonormal bases. With `startᵀ end = U cos θ Vᵀ`, `A = start U`, and C the directions that lead from A to end V,
    `Φ(t) = A cos θt + C sin θt`; of each angle the integral is a matrix of two by two, of which B takes the root.

    >>> start, end = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [1.0]])  # a quarter turn
    >>> B = geodesic_map(start, end)
    >>> (B @ B.T).round(decimals=4)  # 1/2 each, and 1/π between them
    tensor([[0.5000, 0.3183],
            [0.3183, 0.5000]])
    """
    U, cosines, Vt = torch.linalg.svd(start.T @ end)
    angles = torch.arccos(cosines.clamp(-1, 1))
    A = start @ U
    C = torch.nn.functional.normalize(end @ Vt.T - A * cosines, dim=0)  # zero where the angle is
    spread = torch.sinc(2 * angles / torch.pi)  # sin 2θ / 2θ
    across = torch.sinc(angles / torch.pi) * angles.sin() / 2  # sin² θ / 2θ
    blocks = torch.stack([(1 + spread) / 2, across, across, (1 - spread) / 2], 1).reshape(-1, 2, 2)
    values, vectors = torch.linalg.eigh(blocks)
    roots = vectors * values.clamp(min=0).sqrt()[:, None] @ vectors.mT
    return torch.einsum("dpk,kpq->dqk", torch.stack([A, C], 1), roots).flatten(1)


def principal_directions(rows: Float[Tensor, "n d"], count: int) -> Float[Tensor, "d count"]:
    """The `count` directions of the largest variance, orthonormal.

    >>> principal_directions(torch.tensor([[-3.0, 0.0], [3.0, 1.0], [0.0, -1.0]]), 1).abs().round(decimals=0).tolist()
    [[1.0], [0.0]]
    """
    return torch.linalg.svd(rows - rows.mean(0), full_matrices=False).Vh[:count].T
