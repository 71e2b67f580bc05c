"""Optimal transport of features and labels at once: target samples learn the labels that are carried to them."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import FEATURES, Batch, Knowledge, Outputs
from limbeck.distances import coupling
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import full_precision, two_domains

__all__ = ["Deepjdot"]


class Deepjdot(Objective):
    """The cost of carrying source samples, with their labels, onto target samples, by the cheapest coupling.

    Paper: Damodaran et al. 2018 (DeepJDOT), section 3: of the pair ij it is α‖z_i − z_j‖² − log softmax(target_j)[y_i].
    The coupling is exact on the minibatch and a constant for the gradient. The weight of the label loss is the
    term's own (the paper has α = 0.001 and 0.0001 for the label loss).
    Needs: source and target samples in every step, the source's labels, classes; no teacher.
    Range: ≥ 0.

    The coupling is found on the processor: a CUDA device is waited for in each step.
    """

    needs: frozenset[str] = frozenset({"labels", "classes"})
    samples: Samples = "both"

    def __init__(self, alpha: Annotated[float, Gt(0)] = 0.001, layer: str = FEATURES):
        super().__init__()
        self.alpha = alpha
        self.layer = layer

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        source, target = two_domains("deepjdot", outputs, self.layer)
        return deepjdot(source, target, batch.source.labels, outputs.target.logits, self.alpha)


def deepjdot(
    source: Float[Tensor, "n d"],
    target: Float[Tensor, "m d"],
    labels: Int[Tensor, " n"],
    logits: Float[Tensor, "m classes"],
    alpha: float = 0.001,
) -> Float[Tensor, ""]:
    """`min over γ of Σ_ij γ_ij (α‖x_i − y_j‖² − log softmax(logits_j)[label_i])`, γ of uniform margins, in float32.

    logits: of the target samples.

    >>> x = torch.tensor([[0.0], [1.0]])
    >>> round(float(deepjdot(x, x.flip(0), torch.tensor([0, 1]), torch.zeros(2, 4))), 4)  # log 4
    1.3863
    """
    with full_precision(source):
        log_p = logits.to(source.dtype).log_softmax(1)
        with torch.no_grad():
            distances = torch.cdist(source, target, compute_mode="donot_use_mm_for_euclid_dist").square()
            plan = coupling(alpha * distances - log_p[:, labels].T)
        # Differences of the coupled pairs alone, at most n + m − 1, lose nothing to rounding.
        rows, columns = plan.nonzero(as_tuple=True)
        moved = (source[rows] - target[columns]).square().sum(1)
        wrong = nn.functional.nll_loss(log_p[columns], labels[rows], reduction="none")
        return (plan[rows, columns] * (alpha * moved + wrong)).sum()
