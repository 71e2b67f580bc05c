"""Training on the source alone: how a teacher is made, and the student that all others are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from annotated_types import Ge, Lt

from limbeck.core import Batch, Knowledge, Spec, Task
from limbeck.methods import Method, Stream, Update
from limbeck.methods._hard_labels import hard_label_losses, hard_objective
from limbeck.networks import Observed

__all__ = ["SourceOnly"]


class SourceOnly(Method):
    """Cross-entropy (squared error for regression) on the source's labels; the target is never seen."""

    streams: ClassVar[tuple[Stream, ...]] = ("source",)

    def __init__(self, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        self.objective = hard_objective(task, self.label_smoothing)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        batch = batches["source"]
        return [Update(hard_label_losses(self.student(batch.inputs), batch, self.objective))]
