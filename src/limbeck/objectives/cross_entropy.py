"""The hard-label loss."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import Batch, Knowledge, Outputs
from limbeck.objectives import Objective, Samples

__all__ = ["CrossEntropy"]


class CrossEntropy(Objective):
    """Cross-entropy against the labels, `−log softmax(s)[y]`, averaged over the batch.

    Paper: Bishop 2006, eq. 4.108; smoothing: Szegedy et al. 2016, section 7.
    Needs: labels, of the source or of the labelled target samples.
    Range: ≥ 0; `log(classes)` for uniform outputs.
    """

    needs: frozenset[str] = frozenset({"labels", "classes"})
    samples: Samples = "source"

    def __init__(self, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return cross_entropy(outputs.logits, batch.labels, self.label_smoothing)


def cross_entropy(
    logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """The mean of `−log softmax(logits)[label]`, computed in float32.

    >>> import torch
    >>> round(cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)  # log 4
    1.3863
    """
    return nn.functional.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)
