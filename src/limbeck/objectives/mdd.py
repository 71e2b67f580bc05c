"""Margin disparity discrepancy: a second head that agrees with the student on the source and not on the target."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, bad_value
from limbeck.objectives import Objective, Samples, Schedule, value_at
from limbeck.objectives._domains import full_precision, layer_width, reverse, two_domains

__all__ = ["Mdd"]

RAMP = Schedule(start=0.0, end=0.1, shape="ramp")


class Mdd(Objective):
    """The loss of an auxiliary head that looks for a disagreement, whose gradient reaches the student reversed.

    The head reads the same layer, agrees with the classes that the student predicts on the source, and disagrees on
    the target as far as it can. The student learns representations on which no such head is left.

    Paper: Zhang et al. 2019 (MDD), with its combined cross-entropy loss; the loss here is −D_γ. Predicted
    classes give no gradient, as there.
    Needs: source and target samples in every step, classes (two or more); no labels, no teacher.
    Range: ≥ 0. It is the auxiliary head's loss: alignment makes it grow.

    margin: γ = exp ρ, the weight of the source's agreement; the paper takes 2 to 4. strength: η, by which the
    reversed gradient into the student is multiplied, a number or a schedule; the head always learns at full
    strength. The default rises to the paper's 0.1. Where no run has said how far it is, the strength is that of its
    end. hidden: the width of the head's hidden layer.
    """

    needs: frozenset[str] = frozenset({"classes"})
    samples: Samples = "both"

    def __init__(
        self,
        layer: str = FEATURES,
        margin: Annotated[float, Gt(0)] = 4.0,
        strength: Annotated[float, Ge(0)] | Schedule = RAMP,
        hidden: Annotated[int, Ge(1)] = 256,
    ):
        super().__init__()
        lowest = min(strength.start, strength.end) if isinstance(strength, Schedule) else strength
        if lowest < 0:
            raise bad_value("strength", "mdd", "≥ 0", lowest)
        if not margin > 0:
            raise bad_value("margin", "mdd", "> 0", margin)
        self.layer = layer
        self.margin = margin
        self.strength = strength
        self.hidden = hidden
        self.current = value_at(strength, 1.0)

    def build(self, student: Spec, knowledge: Spec) -> None:
        if student.outputs < 2:
            raise bad_value("outputs", "the student of mdd", "at least 2, one for each class", student.outputs)
        width = layer_width(student, self.layer)
        self.head = nn.Sequential(nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, student.outputs))

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def at(self, progress: float) -> None:
        self.current = value_at(self.strength, progress)

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        source, target = two_domains("mdd", outputs, self.layer)
        predicted = outputs.logits.argmax(1)
        with full_precision(source):
            said = self.head(reverse(source, self.current)), self.head(reverse(target, self.current))
            return mdd(*said, predicted[: len(source)], predicted[len(source) :], self.margin)


def mdd(
    source: Float[Tensor, "n classes"],
    target: Float[Tensor, "m classes"],
    source_classes: Int[Tensor, " n"],
    target_classes: Int[Tensor, " m"],
    margin: float = 4.0,
) -> Float[Tensor, ""]:
    """`γ · mean −log σ_h(z_s) + mean −log(1 − σ_h(z_t))`, h the class that the student predicts, σ the softmax of z.

    >>> import torch
    >>> z, h = torch.zeros(3, 4), torch.tensor([0, 1, 2])
    >>> round(float(mdd(z, z, h, h, margin=1.0)), 4)  # log 4 + log 4/3
    1.674
    """
    agreement = nn.functional.cross_entropy(source, source_classes)
    # 1 − σ_h is the others' share, a difference of two logarithms that stays finite where σ_h rounds to 1.
    others = target.scatter(1, target_classes[:, None], float("-inf"))
    disagreement = (target.logsumexp(1) - others.logsumexp(1)).mean()
    return margin * agreement + disagreement
