"""Bring source and target together in the student's representation."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, UsageError
from limbeck.distances import Distance
from limbeck.objectives import Objective, Samples

__all__ = ["Align"]


class Align(Objective):
    """A distance between the student's features of source and target samples, as a loss.

    Paper: Long et al. 2015, eq. 4 with `mmd`; Sun & Saenko 2016, eq. 1 with `coral`.
    Needs: source and target samples in every step; no labels, no teacher.
    Range: that of the distance; 0 in expectation when both domains give equal features.
    """

    needs: frozenset[str] = frozenset()
    samples: Samples = "both"

    def __init__(self, distance: Distance, layer: str = FEATURES):
        super().__init__()
        name = type(distance).__module__.rpartition(".")[2]
        for fault, wrong in (
            ("has no gradient", not distance.differentiable),
            ("compares row i with row i, and the two domains have no such pairs", distance.paired),
            ("needs labels of both domains", distance.needs_labels),
        ):
            if wrong:
                raise UsageError(f"The 'distance' of align must serve as a loss. Got {name}, which {fault}.")
        self.distance = distance
        self.layer = layer

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return self.distance(outputs.source.feature(self.layer).float(), outputs.target.feature(self.layer).float())
