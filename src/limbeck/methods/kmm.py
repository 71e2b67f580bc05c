"""Kernel mean matching: source samples weighted so that their mean embedding is the target's."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.distances import squared_distances
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS

__all__ = ["Kmm"]

STEPS = 1000


class Kmm(Shallow):
    """A linear model of the source, whose samples are weighted so that both domains' mean embeddings agree.

    The weights β of least `½ βᵀ K β − κᵀ β`, `κ_i = n/m Σ_j k(x_i, y_j)`, for `0 ≤ β ≤ bound` and
    `|mean β − 1| ≤ ε`, `ε = bound / √n`, with Gaussian kernels.
    Paper: Huang et al. 2007, eq. 5. Both domains are scaled by the source, for their own scales would hide the shift.

    width: of the kernels, as a share of the median distance between the domains. bound: the largest weight.
    The other settings: as every shallow method's.

    >>> Kmm(bound=0.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'bound' of kmm must be > 0. Got 0.0.
    """

    pairwise: ClassVar[bool] = True

    def __init__(
        self,
        width: Annotated[float, Gt(0)] = 0.5,
        bound: Annotated[float, Gt(0)] = 10.0,
        standardise: Literal["each", "source"] = "source",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        self.positive(width=width, bound=bound)
        self.width = width
        self.bound = bound

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        return Adapted(x, labels, matched_weights(x, y, self.width, self.bound))


def matched_weights(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], width: float, bound: float
) -> Float[Tensor, " n"]:
    """The weights of every x (Huang et al. 2007, eq. 5), by accelerated projected gradients.

    >>> x, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[1.5], [2.0], [2.5]])
    >>> matched_weights(x, y, 1.0, 5.0).argsort().tolist()
    [0, 1, 2]
    """
    across = squared_distances(x, y)
    scale = 2 * width**2 * across.median().clamp(min=1e-12)
    K = torch.exp(-squared_distances(x, x) / scale)
    kappa = torch.exp(-across / scale).mean(1) * len(x)
    rate = 1 / largest_eigenvalue(K)
    slack = bound / math.sqrt(len(x))
    beta = ahead = project(torch.ones_like(kappa), bound, slack)
    for step in range(STEPS):
        before, beta = beta, project(ahead - rate * (K @ ahead - kappa), bound, slack)
        ahead = beta + step / (step + 3) * (beta - before)
    return beta


def largest_eigenvalue(K: Float[Tensor, "n n"]) -> Float[Tensor, ""]:
    """That of a positive matrix, by power iteration from a positive vector, and a thousandth more.

    >>> round(float(largest_eigenvalue(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))), 4)
    3.003
    """
    vector = K.new_ones(len(K))
    for _ in range(100):
        vector = torch.nn.functional.normalize(K @ vector, dim=0)
    return 1.001 * (vector @ K @ vector)


def project(beta: Float[Tensor, " n"], bound: float, slack: float) -> Float[Tensor, " n"]:
    """The nearest weights in [0, bound] whose mean is at most `slack` from 1; the shift is found by halving.

    >>> project(torch.tensor([3.0, 1.0]), 10.0, 0.5).round(decimals=3).tolist()
    [2.5, 0.5]
    """
    inside = beta.clamp(0, bound)
    wanted = inside.mean().clamp(1 - slack, min(1 + slack, bound))
    if wanted == inside.mean():
        return inside
    low, high = -beta.max(), bound - beta.min()
    for _ in range(60):
        middle = (low + high) / 2
        above = (beta + middle).clamp(0, bound).mean() > wanted
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (beta + (low + high) / 2).clamp(0, bound)
