"""Information maximisation: each prediction certain, all classes predicted."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import entropy, full_precision

__all__ = ["InformationMax"]


class InformationMax(Objective):
    """The mean entropy of the predictions less the entropy of their mean: minus the mutual information.

    Paper: Liang et al. 2020 (SHOT), its entropy and diversity terms; Krause et al. 2010.
    Needs: classes; no labels, no teacher.
    Range: [−log(classes), 0], in nats; 0 where all samples get the same prediction.
    """

    needs: frozenset[str] = frozenset({"classes"})
    samples: Samples = "target"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return information_max(outputs.logits)


def information_max(logits: Float[Tensor, "n classes"]) -> Float[Tensor, ""]:
    """`mean_i H(p_i) − H(mean_i p_i)`, p = softmax(logits), in float32.

    >>> round(float(information_max(100 * torch.eye(4))), 4)  # −log 4
    -1.3863
    """
    with full_precision(logits):
        log_p = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(1)
        # By logsumexp the gradient stays finite for a class whose probabilities are too small for float32.
        log_mean = log_p.logsumexp(0) - math.log(len(log_p))
        return entropy(log_p).mean() + (log_mean.exp() * log_mean).sum()
