"""Bring several source domains together in the student's representation, without a target."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, UsageError
from limbeck.distances import Distance, Regroupable
from limbeck.objectives import Objective, Samples
from limbeck.objectives._domains import full_precision

__all__ = ["AlignSources"]

LEAST = 2
"""So many samples of a domain have a covariance."""


class AlignSources(Objective):
    """The mean distance between the student's features of each two source domains, as a loss.

    Paper: Sun & Saenko 2016, eq. 1, with `coral`, and Gretton et al. 2012, eq. 3, with `mmd`, between the sources as
    Gulrajani & Lopez-Paz 2021 have it for domain generalisation.
    Needs: several source domains, of which two have at least two samples in the batch; no labels, no target.
    Range: that of the distance; 0 in expectation when all domains give equal features.

    distance: one that regroups points, such as `coral` or `mmd`, whose median distance is that of the whole batch. A
    pair of domains of which one has fewer than two samples in a batch counts nothing in it.
    """

    needs: frozenset[str] = frozenset({"domains"})
    samples: Samples = "source"

    def __init__(self, distance: Distance, layer: str = FEATURES):
        super().__init__()
        if not (isinstance(distance, Regroupable) and distance.differentiable):
            name = type(distance).__module__.rpartition(".")[2]
            raise UsageError(f"The 'distance' of align_sources must regroup points, such as coral or mmd. Got {name}.")
        self.distance = distance
        self.layer = layer

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        features = outputs.feature(self.layer).float()
        with full_precision(features):
            return between_domains(features, batch.members, self.distance)


def between_domains(
    features: Float[Tensor, "n d"], members: Bool[Tensor, "n domains"], distance: Regroupable
) -> Float[Tensor, ""]:
    """The mean distance of those pairs of domains that have at least two samples each; 0 where there is no such pair.

    >>> from limbeck.distances.coral import Coral
    >>> x, domain = torch.tensor([[-1.0], [1.0], [-2.0], [2.0]]), torch.tensor([0, 0, 1, 1])
    >>> float(between_domains(x, torch.eye(2, dtype=torch.bool)[domain], Coral()))  # variances 2 and 8: 6² / 4
    9.0
    """
    n, count = members.shape
    if n < 2 * LEAST:
        raise UsageError(f"align_sources compares at least {2 * LEAST} samples. Got {n}: use a larger batch.")
    one, other = torch.triu_indices(count, count, offset=1, device=features.device)
    first, second = (members.T[rows].to(features.dtype) for rows in (one, other))
    there = (first.sum(1) >= LEAST) & (second.sum(1) >= LEAST)
    # A pair that is not there is computed on halves of the batch, and left out: no division by zero, and no waiting.
    half = (torch.arange(n, device=features.device) % 2).to(features.dtype)
    first, second = first.where(there[:, None], half), second.where(there[:, None], 1 - half)
    return (distance.regroup(features, first, second) * there).sum() / there.sum().clamp(min=1)
