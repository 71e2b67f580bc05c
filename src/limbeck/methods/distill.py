"""Distillation across domains: hard labels from the source, soft labels on the target, any further terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from limbeck.core import Batch, Knowledge, Outputs, Spec, Task, UsageError, bad_value
from limbeck.methods import Method, Stream, Update
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term, Terms

__all__ = ["Distill"]


class Distill(Method):
    """A weighted sum of objectives, each on its own samples of the step.

    Paper: Hinton et al. 2015, with the source's labels and the target's soft labels.

    objectives: terms such as `cross_entropy` (on the source), `kl` (on the target), `align`
    (between both). statistics: whether source and target pass through BatchNorm in one batch
    ("joint") or one after the other ("separate"), which alone can move results much, so that
    rows to be compared should have the same.
    """

    def __init__(
        self,
        objectives: Sequence[Term | Objective],
        statistics: Literal["separate", "joint"] = "separate",
    ):
        super().__init__()
        if not objectives:
            raise bad_value("objectives", "distill", "a list with at least one objective", list(objectives))
        self.terms = Terms(objectives)
        self.statistics = statistics

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        for name, term in zip(self.terms.names, self.terms.terms, strict=True):
            if "classes" in term.objective.needs and not task.is_classification:
                raise UsageError(f"{name} is a loss of classes, and the task is regression: use mean_squared_error.")
        self.terms.build(spec, knowledge)

    def reads(self) -> tuple[Stream, ...]:
        wanted = {stream for term in self.terms.terms for stream in term.streams}
        order: tuple[Stream, ...] = ("source", "labelled", "target")
        return tuple(stream for stream in order if stream in wanted)

    def requires(self) -> frozenset[str]:
        return frozenset({"teacher"}) if self.knowledge_streams() else frozenset()

    def student_layers(self) -> frozenset[str]:
        return frozenset(layer for term in self.terms.terms for layer in term.objective.layers())

    def knowledge_layers(self) -> frozenset[str]:
        return frozenset(layer for term in self.terms.terms for layer in term.objective.knowledge_layers())

    def knowledge_streams(self) -> frozenset[str]:
        return frozenset(stream for term in self.terms.terms if term.reads_knowledge for stream in term.streams)

    def at(self, progress: float) -> None:
        self.terms.at(progress)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        return [Update(self.terms(self._outputs(batches), knowledge, batches))]

    def _outputs(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        if self.statistics == "separate":
            return {stream: self.student(batch.inputs) for stream, batch in batches.items()}
        joint = self.student(torch.cat([batch.inputs for batch in batches.values()]))
        outputs, first = {}, 0
        for stream, batch in batches.items():
            outputs[stream] = joint.rows(slice(first, first + len(batch)))
            first += len(batch)
        return outputs
