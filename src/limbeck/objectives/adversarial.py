"""Adversarial alignment: a discriminator tells the domains apart, and the student learns to prevent it."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, bad_value
from limbeck.objectives import Objective, Samples, Schedule, value_at
from limbeck.objectives._domains import Discriminator, domain_loss, full_precision, layer_width, reverse, two_domains

__all__ = ["Adversarial"]

RAMP = Schedule(start=0.0, end=1.0, shape="ramp")


class Adversarial(Objective):
    """The discriminator's cross-entropy on a layer, whose gradient reaches the student reversed.

    Paper: Ganin et al. 2016 (DANN), eq. 9 and 14–18; the two domains' mean losses are averaged, not summed.
    Needs: source and target samples in every step; no labels, no teacher.
    Range: ≥ 0; log 2 where the discriminator knows nothing. It is the discriminator's loss: alignment makes it grow.

    strength: λ, by which the reversed gradient into the student is multiplied, a number or a schedule; the
    discriminator always learns at full strength. The default is the paper's 2/(1+exp(−10p))−1. Where no run has
    said how far it is, the strength is that of its end. The discriminator's accuracy on
    the last batch is shown at each evaluation.
    """

    needs: frozenset[str] = frozenset()
    samples: Samples = "both"
    discriminator: Discriminator

    def __init__(
        self,
        layer: str = FEATURES,
        strength: Annotated[float, Ge(0)] | Schedule = RAMP,
        hidden: Annotated[int, Ge(1)] = 256,
    ):
        super().__init__()
        lowest = min(strength.start, strength.end) if isinstance(strength, Schedule) else strength
        if lowest < 0:
            raise bad_value("strength", "adversarial", "≥ 0", lowest)
        self.layer = layer
        self.strength = strength
        self.hidden = hidden
        self.current = value_at(strength, 1.0)

    def build(self, student: Spec, knowledge: Spec) -> None:
        self.discriminator = Discriminator(layer_width(student, self.layer), self.hidden)

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def at(self, progress: float) -> None:
        self.current = value_at(self.strength, progress)

    def watched(self) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator.accuracy}

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        source, target = two_domains("adversarial", outputs, self.layer)
        with full_precision(source):
            return adversarial(source, target, self.discriminator, self.current)


def adversarial(
    source: Float[Tensor, "n d"], target: Float[Tensor, "m d"], discriminator: Discriminator, strength: float = 1.0
) -> Float[Tensor, ""]:
    """`½ mean −log σ(D(x_s)) + ½ mean −log(1 − σ(D(x_t)))`, reversed towards x_s and x_t.

    >>> import torch
    >>> bool(adversarial(torch.zeros(2, 3), torch.zeros(5, 3), Discriminator(3, 8)) > 0.69)
    True
    """
    said = discriminator(reverse(source, strength)), discriminator(reverse(target, strength))
    discriminator.watch(*said)
    return domain_loss(*said)
