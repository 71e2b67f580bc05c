"""KLIEP: source samples weighted by how likely they are in the target."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import bad_value
from limbeck.distances import squared_distances
from limbeck.methods import Candidates, Evidence
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS

__all__ = ["Kliep"]

STEPS = 1000
"""Of the fixed point, each of which raises the likelihood."""

FOLDS = 5


class Kliep(Shallow):
    """A linear model of the source, whose samples count by the ratio of the target's to the source's density.

    The ratio is a sum of Gaussian kernels at target samples with weights ≥ 0, of the largest likelihood of the
    target; the width of the kernels has the largest likelihood of samples left out.
    Paper: Sugiyama et al. 2008, eq. 6 and its likelihood cross-validation in 5 parts. The convex problem is solved
    by a fixed point that keeps the constraints, in place of the paper's projected gradient.
    Both domains are scaled by the source, for their own scales would hide the shift.

    centres: at most so many target samples carry a kernel. The other settings: as every shallow method's.

    >>> Kliep(centres=0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'centres' of kliep must be ≥ 1. Got 0.
    """

    def __init__(
        self,
        centres: Annotated[int, Ge(1)] = 100,
        standardise: Literal["each", "source"] = "source",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        if centres < 1:
            raise bad_value("centres", self.name, "≥ 1", centres)
        self.centres = centres

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """For rows of numbers."""
        return cls.offered(evidence)

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        return Adapted(x, labels, density_ratio(x, y, self.centres))


def density_ratio(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], centres: int) -> Float[Tensor, " n"]:
    """p_y / p_x at every x (Sugiyama et al. 2008, eq. 6); its mean is 1.

    >>> x, y = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([[2.0], [2.5], [3.0], [3.5], [2.2]])
    >>> density_ratio(x, y, 5).argsort().tolist()
    [0, 1, 2, 3]
    """
    means = y[:: -(-len(y) // centres)]
    to_x, to_y = squared_distances(x, means), squared_distances(y, means)
    median = to_y.median().clamp(min=1e-12)
    widths = [factor * median for factor in (0.1, 0.25, 0.5, 1.0, 2.0)]
    fold = torch.arange(len(y)) % min(FOLDS, len(y))
    best = max(widths, key=lambda width: _left_out(_kernel(to_x, width), _kernel(to_y, width), fold))
    near, far = _kernel(to_x, best), _kernel(to_y, best)
    return near @ _mixture(near, far)


def _kernel(squared: Float[Tensor, "n k"], width: Float[Tensor, ""]) -> Float[Tensor, "n k"]:
    return torch.exp(-squared / (2 * width)) + 1e-12


def _left_out(near: Float[Tensor, "n k"], far: Float[Tensor, "m k"], fold: Tensor) -> float:
    """The mean log ratio at target samples that the ratio was not fitted on."""
    found = [(far[fold == part] @ _mixture(near, far[fold != part])).log().sum() for part in fold.unique()]
    return float(torch.stack(found).sum())


def _mixture(near: Float[Tensor, "n k"], far: Float[Tensor, "m k"]) -> Float[Tensor, " k"]:
    """Weights a ≥ 0 of the largest `Σ_j log (far a)_j` under `mean_i (near a)_i = 1`.

    With a_l = share_l / mean_i near_il the shares are those of a mixture of fixed densities, whose likelihood
    expectation–maximisation raises to its one maximum.
    """
    mass = near.mean(0)
    densities = far / mass
    share = torch.full_like(mass, 1 / len(mass))
    for _ in range(STEPS):
        before, share = share, share * (densities / (densities @ share)[:, None]).mean(0)
        if (share - before).abs().max() < 1e-9:
            break
    return share / mass
