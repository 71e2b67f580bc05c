"""Predictions on the target that are certain and diverse at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import full_precision

__all__ = ["Bnm"]


class Bnm(Objective):
    """Batch nuclear-norm maximisation: `−‖softmax‖_* / n` of the batch's probabilities [n, classes].

    Paper: Cui et al. 2020 (BNM).
    Needs: classes; no labels, no teacher.
    Range: [−√(min(n, classes)/n), −1/√(n·classes)]; least where samples are certain and classes equally frequent.

    On a CUDA device the singular values are waited for in each step.
    """

    needs: frozenset[str] = frozenset({"classes"})
    samples: Samples = "target"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return bnm(outputs.logits)


def bnm(logits: Float[Tensor, "n classes"]) -> Float[Tensor, ""]:
    """The sum of the singular values of softmax(logits), over −n, in float32.

    >>> round(float(bnm(100 * torch.eye(4))), 4)
    -1.0
    """
    with full_precision(logits):
        p = logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(1)
        return -torch.linalg.svdvals(p).sum() / len(p)
