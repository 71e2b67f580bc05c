from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs, Spec, Task, UsageError, bad_value
from limbeck.methods._method import Method, Stream
from limbeck.methods._statistics import still_statistics
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term, Terms

__all__ = ["Composed", "Statistics", "on_target_alone"]

Statistics = Literal["separate", "joint", "target"]


class Composed(Method):
    """The base of the methods whose losses are, or go together with, a weighted sum of objectives.

    statistics: how samples pass through BatchNorm: source and target "separate", one batch after
    the other, "joint", in one batch, or separate with running statistics of the "target" alone, by
    which evaluation normalises. This alone can move results much, so that rows to be compared
    should have the same.
    """

    def __init__(self, objectives: Sequence[Term | Objective], statistics: Statistics = "separate"):
        super().__init__()
        self.terms = Terms(objectives)
        self.statistics = statistics
        if statistics == "target" and "target" not in self.reads():
            expected = "'separate' or 'joint', since no term reads the target, and its statistics would not be known"
            raise bad_value("statistics", _name(self), expected, statistics)

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        for name, term in zip(self.terms.names, self.terms.terms, strict=True):
            if "classes" in term.objective.needs and not task.is_classification:
                raise UsageError(f"{name} is a loss of classes, and the task is regression: use mean_squared_error.")
        self.terms.build(spec, knowledge)

    def reads(self) -> tuple[Stream, ...]:
        wanted = {stream for term in self.terms.terms for stream in term.streams} | {*self.streams}
        order: tuple[Stream, ...] = ("source", "labelled", "target")
        return tuple(stream for stream in order if stream in wanted)

    def requires(self) -> frozenset[str]:
        several = {need for term in self.terms.terms for need in term.objective.needs} & {"domains"}
        return self.needs | several | (frozenset({"teacher"}) if self.knowledge_streams() else frozenset())

    def student_layers(self) -> frozenset[str]:
        return frozenset(layer for term in self.terms.terms for layer in term.objective.layers())

    def knowledge_layers(self) -> frozenset[str]:
        return frozenset(layer for term in self.terms.terms for layer in term.objective.knowledge_layers())

    def knowledge_streams(self) -> frozenset[str]:
        return frozenset(stream for term in self.terms.terms if term.reads_knowledge for stream in term.streams)

    def at(self, progress: float) -> None:
        self.terms.at(progress)

    def said(
        self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]
    ) -> tuple[dict[str, Outputs], dict[str, Tensor]]:
        """What the student says of each stream, and the losses of the objectives."""
        outputs = self.outputs(batches)
        return outputs, self.terms(outputs, knowledge, batches)

    def outputs(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        """What the student says of each stream."""
        if self.statistics == "joint":
            return self._joint(batches)
        outputs = {}
        for stream, batch in batches.items():
            unseen = stream == "source" and self.statistics == "target"
            with still_statistics(self.student) if unseen else nullcontext():
                outputs[stream] = self.student(batch.inputs)
        return outputs

    def _joint(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        joint = self.student(torch.cat([batch.inputs for batch in batches.values()]))
        outputs, first = {}, 0
        for stream, batch in batches.items():
            outputs[stream] = joint.rows(slice(first, first + len(batch)))
            first += len(batch)
        return outputs


def on_target_alone(method: Composed, *, black_box: bool = False) -> None:
    """`UsageError` for a term of a source-free method that reads the source.

    black_box: or that reads the teacher, of which nothing crosses but what the method itself reads.
    """
    for name, term in zip(method.terms.names, method.terms.terms, strict=True):
        if "source" in term.streams:
            raise bad_value("objectives", _name(method), "terms on the target: it may see no source sample", name)
        if black_box and term.reads_knowledge:
            expected = "terms without a teacher: of a black box only the top answers cross, which it reads itself"
            raise bad_value("objectives", _name(method), expected, name)


def _name(method: Method) -> str:
    return type(method).__module__.rpartition(".")[2]
