"""Conditional adversarial alignment: the discriminator sees features together with what the student predicts."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, bad_value, generator
from limbeck.objectives import Objective, Samples, Schedule, value_at
from limbeck.objectives._domains import (
    Discriminator,
    domain_loss,
    entropy,
    full_precision,
    layer_width,
    reverse,
    two_domains,
)

__all__ = ["Cdan"]

RAMP = Schedule(start=0.0, end=1.0, shape="ramp")


class Cdan(Objective):
    """As `adversarial`, on the products of features and class probabilities, confident samples weighing more.

    Paper: Long et al. 2018 (CDAN+E), section 3: f ⊗ softmax, or its random projection where that has more than
    `widest` numbers, with weights 1 + exp(−entropy). Deviation: no gradient flows through probabilities and weights
    (they say what to align, and are not to be made less certain by it); each domain counts one half.
    Needs: source and target samples in every step, classes; no labels, no teacher.
    Range: ≥ 0; log 2 where the discriminator knows nothing. It is the discriminator's loss: alignment makes it grow.

    strength: as of `adversarial`. hidden: width of the discriminator's two layers. seed: of the random projection, to
    `projection` numbers.
    The discriminator's accuracy on the last batch is shown at each evaluation.
    """

    needs: frozenset[str] = frozenset({"classes"})
    samples: Samples = "both"
    discriminator: Discriminator
    of_features: Tensor | None
    of_classes: Tensor | None

    def __init__(
        self,
        layer: str = FEATURES,
        strength: Annotated[float, Ge(0)] | Schedule = RAMP,
        entropy_weights: bool = True,
        hidden: Annotated[int, Ge(1)] = 128,
        widest: Annotated[int, Ge(1)] = 4096,
        projection: Annotated[int, Ge(1)] = 1024,
        seed: int = 0,
    ):
        super().__init__()
        lowest = min(strength.start, strength.end) if isinstance(strength, Schedule) else strength
        if lowest < 0:
            raise bad_value("strength", "cdan", "≥ 0", lowest)
        self.layer = layer
        self.strength = strength
        self.entropy_weights = entropy_weights
        self.hidden = hidden
        self.widest = widest
        self.projection = projection
        self.seed = seed
        self.current = value_at(strength, 1.0)

    def build(self, student: Spec, knowledge: Spec) -> None:
        width = layer_width(student, self.layer)
        wide = width * student.outputs > self.widest
        self.register_buffer("of_features", self._directions("features", width) if wide else None)
        self.register_buffer("of_classes", self._directions("classes", student.outputs) if wide else None)
        self.discriminator = Discriminator(self.projection if wide else width * student.outputs, self.hidden)

    def _directions(self, name: str, width: int) -> Tensor:
        drawn = generator(self.seed, "cdan", name).standard_normal((width, self.projection))
        return torch.from_numpy(drawn).float()

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def at(self, progress: float) -> None:
        self.current = value_at(self.strength, progress)

    def watched(self) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator.accuracy}

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        features = torch.cat(two_domains("cdan", outputs, self.layer))
        logits = outputs.logits.detach().to(features.dtype)
        with full_precision(features):
            joint = self._joint(reverse(features, self.current), logits.softmax(1))
            said = self.discriminator(joint)
            source, target = said[: outputs.sources], said[outputs.sources :]
            self.discriminator.watch(source, target)
            if not self.entropy_weights:
                return domain_loss(source, target)
            weights = 1 + torch.exp(-entropy(logits))
            named = {"source": weights[: outputs.sources], "target": weights[outputs.sources :]}
            return domain_loss(source, target, named)

    def _joint(self, features: Float[Tensor, "n d"], p: Float[Tensor, "n classes"]) -> Float[Tensor, "n joint"]:
        if self.of_features is None or self.of_classes is None:
            return multilinear(features, p)
        return projected(features @ self.of_features, p @ self.of_classes)


def multilinear(features: Float[Tensor, "n d"], p: Float[Tensor, "n classes"]) -> Float[Tensor, "n joint"]:
    """All products of a feature and a probability, [n, d · classes].

    >>> multilinear(torch.tensor([[2.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 2., 0., 3.]])
    """
    return (features[:, :, None] * p[:, None, :]).flatten(1)


def projected(features: Float[Tensor, "n k"], p: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """The products of both projections over √k, whose inner products estimate those of `multilinear`.

    >>> projected(torch.tensor([[2.0, 3.0, 0.0, 1.0]]), torch.ones(1, 4))
    tensor([[1.0000, 1.5000, 0.0000, 0.5000]])
    """
    return features * p / p.shape[1] ** 0.5
