"""The upper bound: training on the target's labels, which nobody has in practice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from annotated_types import Ge, Lt

from limbeck.core import Batch, Knowledge, Spec, Task
from limbeck.methods import Method, Stream, Update
from limbeck.methods._hard_labels import hard_label_losses, hard_objective
from limbeck.networks import Observed

__all__ = ["TargetOnly"]


class TargetOnly(Method):
    """Cross-entropy (squared error) on all labels of the target's training split.

    It opens sealed labels: the results say so, and its row is marked as the upper bound.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    needs: ClassVar[frozenset[str]] = frozenset({"target_labels"})

    def __init__(self, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        self.objective = hard_objective(task, self.label_smoothing)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        batch = batches["target"]
        return [Update(hard_label_losses(self.student(batch.inputs), batch, self.objective))]
