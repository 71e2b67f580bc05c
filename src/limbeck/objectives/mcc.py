"""Less confusion between the classes that are predicted on the target."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import entropy, full_precision

__all__ = ["Mcc"]


class Mcc(Objective):
    """Minimum class confusion: the share of each class's correlation over the batch that goes to other classes.

    Paper: Jin et al. 2020 (MCC), with its temperature of 2.5; no gradient flows through the entropy weights.
    Needs: classes; no labels, no teacher.
    Range: [0, 1 − 1/classes]; 0 where each sample has one class, 1 − 1/classes where all are uniform.
    """

    needs: frozenset[str] = frozenset({"classes"})
    samples: Samples = "target"

    def __init__(self, temperature: Annotated[float, Gt(0)] = 2.5):
        super().__init__()
        self.temperature = temperature

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return mcc(outputs.logits, self.temperature)


def mcc(logits: Float[Tensor, "n classes"], temperature: float = 2.5) -> Float[Tensor, ""]:
    """The mean over classes j of `Σ_{k≠j} C_jk / Σ_k C_jk`, C = PᵀWP, P = softmax(z/T), W ∝ 1 + exp(−H), in float32.

    >>> round(float(mcc(torch.zeros(3, 4))), 4)
    0.75
    """
    with full_precision(logits):
        scaled = logits.to(torch.promote_types(logits.dtype, torch.float32)) / temperature
        p = scaled.softmax(1)
        weights = 1 + torch.exp(-entropy(scaled.detach()))
        weights = len(weights) * weights / weights.sum()
        correlation = p.T @ (weights[:, None] * p)
        # A class that nobody predicts has no correlation at all: nothing of it is confused.
        confused = correlation / correlation.sum(1, keepdim=True).clamp_min(1e-8)
        return (confused.sum() - confused.trace()) / p.shape[1]
