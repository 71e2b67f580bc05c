"""Two encoders instead of one: the source and the target each have a body, below one head."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs, Spec, Task, bad_value
from limbeck.methods import Update
from limbeck.methods._composed import Composed
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term

__all__ = ["TwoEncoders"]


class TwoEncoders(Composed):
    """A sum of objectives, as `distill`, in which source samples pass through a body of their own.

    The source's body starts as a copy of the student's, and has its own weights and batch normalisation; the head is
    one for both. The labels form the head through the source's body, and an alignment (`align`, `adversarial`, …)
    or a teacher brings what the target's body gives to where the head reads it. The student, with the target's body,
    is what is evaluated; the source's is discarded.

    Paper: Rozantsev et al. 2019, eq. 1–5, two streams with related weights, here by the plain squared distance
    `tie/2 · ‖w_s − w_t‖²`; without a tie as Tzeng et al. 2017 (ADDA), but with both bodies trained together.
    Needs: terms on the source and on the target, or on both.
    Cost: an epoch as of `distill`; twice the body's parameters in memory while training.

    objectives: as of `distill`, but that BatchNorm is separate by nature. tie: the weight that holds the two bodies
    together, ≥ 0; 0 leaves them free.
    """

    def __init__(self, objectives: Sequence[Term | Objective], tie: Annotated[float, Ge(0)] = 0.1):
        super().__init__(objectives, "separate")
        if not {"source", "target"} <= {*self.reads()}:
            expected = "terms that read the source and the target, each of which has an encoder"
            raise bad_value("objectives", "two_encoders", expected, self.terms.names)
        if tie < 0:
            raise bad_value("tie", "two_encoders", "≥ 0", tie)
        self.tie = tie

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        head = student.network.get_submodule(student.head)
        shared = {id(tensor): tensor for tensor in (*head.parameters(), *head.buffers())}
        self.source_student = copy.deepcopy(student, shared)

    @property
    def on_source(self) -> Observed:
        return self.source_student

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        losses = self.said(batches, knowledge)[1]
        if self.tie:
            losses["tie"] = self.tie / 2 * self._distance()
        return [Update(losses)]

    def outputs(self, batches: Mapping[str, Batch]) -> dict[str, Outputs]:
        return {name: self._encoder(name)(batch.inputs) for name, batch in batches.items()}

    def _encoder(self, stream: str) -> Observed:
        return self.source_student if stream == "source" else self.student

    def _distance(self) -> Tensor:
        """`‖w_s − w_t‖²` over all weights of the bodies; the head, which is one, adds nothing."""
        pairs = zip(self.source_student.parameters(), self.student.parameters(), strict=True)
        return torch.stack([(own - other).square().sum() for own, other in pairs if own is not other]).sum()
