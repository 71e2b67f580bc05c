"""CORAL: the source re-coloured with the target's covariance."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.methods import Candidates, Evidence
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS

__all__ = ["CoralMap"]


class CoralMap(Shallow):
    """A linear model of the source whose features are whitened, then re-coloured with the target's covariance.

    Paper: Sun, Feng & Saenko 2016, algorithm 1: `x C_s^(-1/2) C_t^(1/2)`, each covariance with `ridge`
    (there 1) added to its diagonal. Means are aligned by standardising each domain.

    ridge: on standardised features. The other settings: as every shallow method's.

    >>> CoralMap(ridge=0.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'ridge' of coral_map must be > 0. Got 0.0.
    """

    moves_source: ClassVar[bool] = True

    def __init__(
        self,
        ridge: Annotated[float, Gt(0)] = 1.0,
        standardise: Literal["each", "source"] = "each",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        self.positive(ridge=ridge)
        self.ridge = ridge

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """For rows of numbers."""
        return cls.offered(evidence)

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        found = colouring(x, y, self.ridge)
        return Adapted(x @ found, labels, near=found.T)


def recoloured(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], ridge: float) -> Float[Tensor, "n d"]:
    """`x C_x^(-1/2) C_y^(1/2)`, with covariances that have `ridge` added to their diagonal (Sun et al. 2016).

    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> recoloured(x, 3 * x, 1e-9).round(decimals=3).flatten().tolist()
    [-3.0, 3.0]
    """
    return x @ colouring(x, y, ridge)


def colouring(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], ridge: float) -> Float[Tensor, "d d"]:
    """`C_x^(-1/2) C_y^(1/2)`."""
    return _power(x, ridge, -0.5) @ _power(y, ridge, 0.5)


def _power(x: Float[Tensor, "n d"], ridge: float, exponent: float) -> Float[Tensor, "d d"]:
    values, vectors = torch.linalg.eigh(torch.cov(x.T).reshape(x.shape[1], -1))
    return vectors * (values.clamp(min=0) + ridge) ** exponent @ vectors.T
