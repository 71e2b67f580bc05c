"""Mean teacher: an average of the student labels one view of the target, and the student learns it on another."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

import torch
from annotated_types import Ge, Lt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.augmentations import Augmentation, Views
from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.methods import Candidates, Evidence, Stream, Update
from limbeck.methods._averaging import move_towards
from limbeck.methods._composed import Composed, Statistics
from limbeck.methods._statistics import still_statistics
from limbeck.methods._target_pass import keep_table, training_rows
from limbeck.networks import INPUTS, Observed
from limbeck.objectives import Objective, Schedule, Term, value_at
from limbeck.objectives.cross_entropy import CrossEntropy

__all__ = ["MeanTeacher"]

ELSEWHERE, UNSURE = -2, -1
"""In the table of classes: a sample that does not train, and one of which the average has not been certain yet."""


class MeanTeacher(Composed):
    """The objectives, and `weight · mean_i 1(max q_i ≥ threshold) · CE(p(strong x_i), argmax q_i)` on the target.

    q are the answers of the student's moving average to the samples as they come (the recipe's augmentation is the
    weak view), p those of the student to a strong view of them. The average is what is evaluated.

    Paper: Tarvainen & Valpola 2017, section 2, for the average `θ' ← α θ' + (1 − α) θ`, α = min(decay, t/(t + 1)) in
    step t = 0, 1, …: the plain mean of all steps, until `decay` forgets the first; Sohn et al. 2020 (FixMatch), eq. 4,
    for the loss; French et al. 2018 for both across domains; Zhang et al. 2021 (FlexMatch), eq. 5–11, for thresholds
    by class. Deviation: the average's running statistics are averaged too, and it answers in evaluation mode, as it
    will be used.
    Cost: three passes on the target in a step, of which one is without gradients.

    objectives: the terms of the student's loss, cross-entropy on the source where none is given; those on the target
    read the weak view. strong: the augmentations that make the strong view of the weak one, drawn anew in each step.
    threshold: the least probability that makes a label. thresholds: "one" for all classes, or "by_class": lower where
    the average has become certain of fewer samples, and `threshold` itself for the class of which it has of most.
    decay: α at most. weight: of the consistency. statistics: as of `distill`; the strong view passes by itself, and
    leaves no trace in the running ones.

    >>> MeanTeacher(threshold=1.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'threshold' of mean_teacher must be in [0, 1). Got 1.0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    steps: Tensor
    certain: Tensor

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        strong: Sequence[Augmentation] = (),
        threshold: Annotated[float, Ge(0), Lt(1)] = 0.9,
        decay: Annotated[float, Ge(0), Lt(1)] = 0.99,
        weight: float | Schedule = 1.0,
        statistics: Statistics = "separate",
        thresholds: Literal["one", "by_class"] = "one",
    ):
        super().__init__(objectives or [CrossEntropy()], statistics)
        for part in strong:
            if part.mixes:
                expected = "augmentations of single samples, since a label is that of one sample"
                raise bad_value("strong", "mean_teacher", expected, part.identity())
        for name, value in (("threshold", threshold), ("decay", decay)):
            if not 0 <= value < 1:
                raise bad_value(name, "mean_teacher", "in [0, 1)", value)
        self.strong = tuple(strong)
        self.threshold = threshold
        self.decay = decay
        self.weight = weight
        self.factor = value_at(weight, 0.0)
        self.thresholds = thresholds

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """Where the domains differ, with a strong view that suits the kind of data."""
        if evidence.source_free or not (evidence.apart and evidence.task.is_classification):
            return {}
        strong = {"images": ["affine", "erase"], "text": ["mask"]}.get(evidence.kind, ["noise", "mask"])
        terms = [*evidence.hard, *evidence.soft]
        return {"mean_teacher": {"mean_teacher": {"objectives": terms, "strong": strong}}}

    def student_layers(self) -> frozenset[str]:
        return super().student_layers() | (frozenset({INPUTS}) if self.strong else frozenset())

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("mean_teacher learns labels that its average is certain of, and the task is regression.")
        for part in self.strong:
            part.check(spec.layers[INPUTS])
        self.average = copy.deepcopy(student).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        keep_table(self, "certain", torch.empty(0, dtype=torch.int64))

    def start_epoch(self, epoch: int, target: DomainView) -> None:
        super().start_epoch(epoch, target)
        if self.thresholds == "by_class" and not len(self.certain):
            self.certain = self.certain.new_full((len(target.inputs),), ELSEWHERE)
            self.certain[training_rows(target).to(self.certain.device)] = UNSURE

    @property
    def evaluated(self) -> Observed:
        return self.average

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.average.eval()
        return self

    def at(self, progress: float) -> None:
        super().at(progress)
        self.factor = value_at(self.weight, progress)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        _, losses = self.said(batches, knowledge)
        batch = batches["target"]
        with torch.no_grad():
            wanted = self.average(batch.inputs).logits
        with still_statistics(self.student):
            found = self.student(self.strong_view(batch)).logits
        losses["consistency"] = self.factor * consistency(found, wanted, self.least(batch, wanted))
        return [Update(losses)]

    @torch.no_grad()
    def least(self, batch: Batch, wanted: Tensor) -> Tensor | float:
        """The least probability that makes a label; where it goes by class, the samples that are certain are kept."""
        if not len(self.certain):  # one threshold, or nothing is known yet of any sample
            return self.threshold
        found = class_thresholds(self.certain, wanted.shape[1], self.threshold)
        confidence, labels = wanted.float().softmax(1).max(1)
        self.certain[batch.index] = labels.where(confidence >= self.threshold, self.certain[batch.index])
        return found

    @torch.no_grad()
    def strong_view(self, batch: Batch) -> Tensor:
        """The strong view [n, ...] of these samples, a function of the step's seed and of each sample."""
        with torch.autocast(batch.inputs.device.type, enabled=False):
            return Views(self.strong, torch.initial_seed(), None).inputs(batch.inputs, batch.index, 0)

    @torch.no_grad()
    def after_update(self) -> None:
        """Move the average; counted on the device, so that nobody waits for it."""
        share = (1 / (self.steps + 1)).clamp(min=1 - self.decay)
        move_towards(self.average.network, self.student.network, share)
        self.steps += 1


def consistency(
    student: Float[Tensor, "n classes"],
    average: Float[Tensor, "n classes"],
    threshold: Float[Tensor, " classes"] | float,
) -> Float[Tensor, ""]:
    """`mean_i 1(max softmax(a_i) ≥ threshold) · CE(s_i, argmax a_i)`, over all samples, in float32.

    threshold: one for all, or one for each class that may be the label.

    >>> certain, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.1, 0.0]])
    >>> round(float(consistency(torch.zeros(2, 2), torch.cat([certain, unsure]), 0.9)), 4)  # log 2 / 2
    0.3466
    """
    confidence, labels = average.detach().float().softmax(1).max(1)
    least = threshold[labels] if isinstance(threshold, Tensor) else threshold
    losses = nn.functional.cross_entropy(student.float(), labels, reduction="none")
    return (losses * (confidence >= least)).mean()


def class_thresholds(certain: Int[Tensor, " n"], classes: int, threshold: float) -> Float[Tensor, " classes"]:
    """`T_c = τ · β_c / (2 − β_c)` with `β_c = σ_c / max(max_k σ_k, u)` (FlexMatch, eq. 5–11).

    certain: of each sample its class when the average was last certain of it, −1 where it never was, −2 where the
    sample does not count. σ_c counts the samples of class c, u those of −1.

    >>> class_thresholds(torch.tensor([0, 0, 1, -1, -2]), 2, 0.9)
    tensor([0.9000, 0.3000])
    """
    counts = torch.zeros(classes + 2, device=certain.device)
    counts.index_add_(0, certain - ELSEWHERE, torch.ones_like(certain, dtype=counts.dtype))
    share = counts[2:] / counts[1:].max()
    return threshold * share / (2 - share)
