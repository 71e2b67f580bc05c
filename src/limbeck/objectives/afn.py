"""Features that grow step by step in both domains: small norms are those that do not transfer."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import two_domains

__all__ = ["Afn"]


class Afn(Objective):
    """Stepwise adaptive feature norm: each sample's norm is drawn to its present value plus `step`.

    Paper: Xu et al. 2019 (SAFN). The present norm is a constant, so that the value is always step², and
    the gradient alone matters: it lengthens every feature vector equally, by 2 · step / n.
    Needs: source and target samples in every step; no labels, no teacher.
    Range: step², whatever the features.
    """

    needs: frozenset[str] = frozenset()
    samples: Samples = "both"

    def __init__(self, step: Annotated[float, Gt(0)] = 1.0, layer: str = FEATURES):
        super().__init__()
        self.step = step
        self.layer = layer

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return afn(torch.cat(two_domains("afn", outputs, self.layer)), self.step)


def afn(features: Float[Tensor, "n d"], step: float = 1.0) -> Float[Tensor, ""]:
    """The mean of `(‖x‖ − (‖x‖ as a constant + step))²`.

    >>> float(afn(torch.ones(3, 2), step=0.5))
    0.25
    """
    norms = torch.linalg.vector_norm(features, dim=1)
    return (norms - norms.detach() - step).square().mean()
