"""Label propagation: the source's labels flow to the target along a graph of neighbours in the representation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError
from limbeck.methods import Stream, Update
from limbeck.methods._composed import Composed, Statistics
from limbeck.methods._propagation import certain_labels, neighbour_graph, propagate
from limbeck.methods._target_pass import keep_table, said_of, training_rows
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term
from limbeck.objectives.cross_entropy import CrossEntropy

__all__ = ["LabelPropagation"]

LARGEST = 50_000
"""So many target samples at most: each is compared with every other to find its neighbours."""


class LabelPropagation(Composed):
    """The objectives, and `weight · mean_i ω_i · CE(student, ŷ_i)` on the target, ŷ propagated and ω their certainty.

    Every `renew` epochs, from the second on, the student's representations of source and target become a graph of
    nearest neighbours with affinities S; the scores `(I − alpha S)⁻¹ Y` of the source's labels Y give each target
    sample its class, and their entropy how certain it is.

    Paper: Zhou et al. 2004, section 2; Iscen et al. 2019 for the graph, the certainties and the loss. Deviations: no
    weights of classes, since the target's shares of classes may differ from the source's; the representation is the
    one that the head reads.
    Needs: at most 50,000 training samples of the target.

    objectives: the terms of the student's loss, cross-entropy on the source where none is given. weight: of the
    cross-entropy to the propagated labels. anchors: so many of the source samples seen last are kept, inputs and all,
    as the labelled nodes, with the k labelled target samples where there are any. neighbours, power: of the graph.
    alpha: how far labels flow. statistics: as of `distill`.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")
    labels: Tensor
    certainty: Tensor
    anchor_inputs: Tensor
    anchor_labels: Tensor
    seen: Tensor

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        weight: Annotated[float, Ge(0)] = 1.0,
        renew: Annotated[int, Gt(0)] = 1,
        anchors: Annotated[int, Gt(0)] = 2000,
        neighbours: Annotated[int, Gt(0)] = 50,
        power: Annotated[float, Gt(0)] = 3.0,
        alpha: Annotated[float, Ge(0), Lt(1)] = 0.99,
        statistics: Statistics = "separate",
    ):
        super().__init__(objectives or [CrossEntropy()], statistics)
        self.weight = weight
        self.renew = renew
        self.anchors = anchors
        self.neighbours = neighbours
        self.power = power
        self.alpha = alpha

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("label_propagation sorts samples into classes, and the task is regression.")
        keep_table(self, "labels", torch.empty(0, dtype=torch.int64))
        keep_table(self, "certainty", torch.empty(0))
        keep_table(self, "anchor_inputs", torch.empty(0))
        self.register_buffer("anchor_labels", torch.full((self.anchors,), -1))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def start_epoch(self, epoch: int, target: DomainView) -> None:
        super().start_epoch(epoch, target)
        rows = training_rows(target)
        if len(rows) > LARGEST:
            raise UsageError(
                f"label_propagation compares all pairs of at most {LARGEST} training samples of the target. "
                f"Got {len(rows)}: use pseudo_labels or mean_teacher."
            )
        if not len(self.anchor_inputs) or epoch % self.renew:
            return
        labels, certainty = self._propagated(target, rows)
        self.labels = labels.new_zeros(len(target.inputs))
        self.certainty = certainty.new_zeros(len(target.inputs))
        self.labels[rows.to(labels.device)] = labels
        self.certainty[rows.to(labels.device)] = certainty

    def _propagated(self, target: DomainView, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The labels of these target samples [n], and how certain they are, on the student's device."""
        known = self.anchor_labels >= 0
        anchors = DomainView("source", self.anchor_inputs[known], {})
        features = torch.cat(
            [
                said_of(self.student, anchors, torch.arange(len(anchors.inputs), device=known.device)).feature(),
                said_of(self.student, target, rows).feature(),
            ]
        )
        given = torch.full((len(features),), -1, device=known.device)
        given[: len(anchors.inputs)] = self.anchor_labels[known]
        if "labelled" in target.opened:  # their rows come first
            own = target.labels("labelled").to(known.device)
            given[len(anchors.inputs) : len(anchors.inputs) + len(own)] = own
        graph = neighbour_graph(features, self.neighbours, self.power)
        scores = propagate(graph, given, self.task.outputs, self.alpha)[len(anchors.inputs) :]
        labels, certainty = certain_labels(scores)
        return labels.to(known.device), certainty.float().to(known.device)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        outputs, losses = self.said(batches, knowledge)
        if len(self.labels):  # the first epoch has none
            index = batches["target"].index
            found = nn.functional.cross_entropy(outputs["target"].logits.float(), self.labels[index], reduction="none")
            losses["propagated"] = self.weight * (self.certainty[index] * found).mean()
        self._keep(batches["source"])
        return [Update(losses)]

    @torch.no_grad()
    def _keep(self, batch: Batch) -> None:
        """The source samples take the places of those that came first; counted on the device."""
        inputs, labels = batch.inputs[-self.anchors :], batch.labels[-self.anchors :]
        if not len(self.anchor_inputs):
            self.anchor_inputs = inputs.new_zeros(self.anchors, *inputs.shape[1:])
        places = (self.seen + torch.arange(len(inputs), device=inputs.device)) % self.anchors
        self.anchor_inputs[places] = inputs
        self.anchor_labels[places] = labels
        self.seen += len(inputs)
