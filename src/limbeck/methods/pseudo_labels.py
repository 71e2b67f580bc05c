"""Self-training: the student's most certain answers of each class become labels, more of them with every epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.methods import Stream, Update
from limbeck.methods._composed import Composed, Statistics
from limbeck.methods._target_pass import keep_table, said_of, training_rows
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term
from limbeck.objectives.cross_entropy import CrossEntropy

__all__ = ["PseudoLabels"]


class PseudoLabels(Composed):
    """The objectives, and `weight · mean_i CE(student, ŷ_i)` over the target samples that have a pseudo-label ŷ.

    Paper: Zou et al. 2018 (CBST), its class-balanced self-training. Each epoch the student labels the target
    anew, as it is and in evaluation mode; of each class the same portion of its predictions becomes labels, so that
    easy classes do not push the hard ones out. The mean is over the whole batch, where samples without a label
    count as zero.

    objectives: the terms of the student's loss, cross-entropy on the source where none is given. weight: of the
    cross-entropy to the pseudo-labels. portion: of each
    class's predictions, the share that is used at first, which grows by `growth` an epoch up to `most`. wait:
    epochs before the first labels, in which a fresh student learns from the source alone. statistics: as of
    `distill`.

    >>> PseudoLabels(portion=0.5, growth=0.25, most=0.9, wait=1).portion_of(2)
    0.75
    """

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    labels: Tensor

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        weight: Annotated[float, Ge(0)] = 1.0,
        portion: Annotated[float, Gt(0), Le(1)] = 0.2,
        growth: Annotated[float, Ge(0), Le(1)] = 0.05,
        most: Annotated[float, Gt(0), Le(1)] = 0.5,
        wait: Annotated[int, Ge(0)] = 1,
        statistics: Statistics = "separate",
    ):
        super().__init__(objectives or [CrossEntropy()], statistics)
        if most < portion:
            raise bad_value("most", "pseudo_labels", f"at least its 'portion', {portion}", most)
        self.weight = weight
        self.portion = portion
        self.growth = growth
        self.most = most
        self.wait = wait

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("pseudo_labels sorts samples into classes, and the task is regression.")
        keep_table(self, "labels", torch.empty(0, dtype=torch.int64))

    def portion_of(self, epoch: int) -> float:
        """The share of each class's predictions that is used in an epoch from `wait` on."""
        return min(self.portion + self.growth * (epoch - self.wait), self.most)

    def start_epoch(self, epoch: int, target: DomainView) -> None:
        super().start_epoch(epoch, target)
        if epoch < self.wait:
            return
        rows = training_rows(target)
        found = class_balanced(said_of(self.student, target, rows, layers=()).logits.softmax(1), self.portion_of(epoch))
        self.labels = found.new_full((len(target.inputs),), -1)
        self.labels[rows.to(found.device)] = found

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        outputs, losses = self.said(batches, knowledge)
        if len(self.labels):  # the first epochs have none
            batch = batches["target"]
            found = nn.functional.cross_entropy(
                outputs["target"].logits.float(), self.labels[batch.index], ignore_index=-1, reduction="sum"
            )
            losses["pseudo_labels"] = self.weight * found / len(batch)
        return [Update(losses)]


def class_balanced(probabilities: Float[Tensor, "n classes"], portion: float) -> Int[Tensor, " n"]:
    """Labels `argmax_k p_ik / τ_k` where that quotient is at least 1, and −1, none, where it is not.

    τ_k is the least of the largest probabilities of those samples that are the `portion` most certain ones of class
    k, at least one (the paper's k_c is −log τ_k); a class that nobody predicts gets no label.

    >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.45, 0.55]])
    >>> class_balanced(p, 0.5)  # of each class the surer half
    tensor([ 0, -1,  1, -1])
    """
    confidence, predicted = probabilities.max(1)
    thresholds = probabilities.new_full((probabilities.shape[1],), torch.inf)
    for label in predicted.unique():
        own = confidence[predicted == label].sort(descending=True).values
        thresholds[label] = own[max(math.ceil(portion * len(own)), 1) - 1]
    quotient, labels = (probabilities / thresholds).max(1)
    return labels.where(quotient >= 1, -1)
