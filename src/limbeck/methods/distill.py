"""Distillation across domains: hard labels from the source, soft labels on the target, any further terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from limbeck.core import Batch, Knowledge, bad_value
from limbeck.methods import Candidates, Evidence, Update
from limbeck.methods._composed import Composed, Statistics
from limbeck.objectives import Objective, Term

__all__ = ["Distill"]


class Distill(Composed):
    """A weighted sum of objectives, each on its own samples of the step.

    Paper: Hinton et al. 2015, with the source's labels and the target's soft labels.

    objectives: terms such as `cross_entropy` (on the source), `kl` (on the target), `align`
    (between both). statistics: how the samples pass through BatchNorm: source and target
    "separate", one batch after the other, "joint", in one batch, or separate with running
    statistics of the "target" alone, by which evaluation normalises. This alone can move results
    much, so that rows to be compared should have the same.
    """

    def __init__(self, objectives: Sequence[Term | Objective], statistics: Statistics = "separate"):
        if not objectives:
            raise bad_value("objectives", "distill", "a list with at least one objective", list(objectives))
        super().__init__(objectives, statistics)

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """Plain distillation; where the domains differ also with alignment, or with sure answers on the target."""
        if evidence.source_free:
            return {}
        known: list[Any] = [*evidence.hard, *evidence.soft]
        added: dict[str, list[Any]] = {"": []} if evidence.soft else {}
        if evidence.apart:
            added |= {"_align": [{"align": {"distance": "mmd"}}]}
            if evidence.task.is_classification:
                added |= {"_information_max": [{"information_max": {}, "weight": 0.3}]}
        return {f"distill{name}": {"distill": {"objectives": [*known, *terms]}} for name, terms in added.items()}

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        return [Update(self.said(batches, knowledge)[1])]
