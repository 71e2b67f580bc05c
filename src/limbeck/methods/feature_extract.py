"""A new head on a fixed inner layer of a source model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from annotated_types import Gt
from torch import Tensor, nn

from limbeck.core import FEATURES, Batch, Knowledge, Spec, Task
from limbeck.methods import Method, Stream, Update
from limbeck.methods._hard_labels import hard_label_losses, hard_objective
from limbeck.networks import Observed

__all__ = ["FeatureExtract"]


class FeatureExtract(Method):
    """Freeze another row's student (or the teacher) whole, and train a new head on one of its layers.

    layer: a submodule's name, or "features", what the old head read. head: "linear", or "mlp"
    with one hidden layer of `hidden` units. The head learns from the k labelled target samples.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("labelled",)
    needs: ClassVar[frozenset[str]] = frozenset({"start"})

    def __init__(
        self,
        layer: str = FEATURES,
        head: Literal["linear", "mlp"] = "linear",
        hidden: Annotated[int, Gt(0)] = 64,
    ):
        super().__init__()
        self.layer = layer
        self.kind = head
        self.hidden = hidden

    def student_layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        self.objective = hard_objective(task)
        student.requires_grad_(False)
        width = math.prod(spec.layers[self.layer])
        self.probe = Observed(_Probe(student, self.layer, self._new_head(width, task.outputs)))

    def _new_head(self, width: int, outputs: int) -> nn.Module:
        if self.kind == "linear":
            return nn.Linear(width, outputs)
        return nn.Sequential(nn.Linear(width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, outputs))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.student.eval()
        return self

    @property
    def evaluated(self) -> Observed:
        return self.probe

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        batch = batches["labelled"]
        return [Update(hard_label_losses(self.probe(batch.inputs), batch, self.objective))]


class _Probe(nn.Module):
    def __init__(self, body: Observed, layer: str, head: nn.Module):
        super().__init__()
        self.body = body
        self.layer = layer
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs).feature(self.layer))
