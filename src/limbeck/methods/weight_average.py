"""Weight averaging: the mean of the student over its last steps, which lies in a flatter place than any of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated, ClassVar, Self

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, bad_value, generator
from limbeck.methods import Stream, Update
from limbeck.methods._averaging import move_towards
from limbeck.methods._composed import Composed, Statistics
from limbeck.methods._statistics import renew_statistics
from limbeck.methods._target_pass import training_rows
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term
from limbeck.objectives.cross_entropy import CrossEntropy

__all__ = ["WeightAverage"]

SAMPLES, AT_ONCE = 2048, 256
"""So many training samples of each domain, and so many at a time, tell the average's running statistics."""


class WeightAverage(Composed):
    """The objectives; evaluated is the average of the student's weights over the steps from a share of the run on.

    `θ' ← θ' + a (θ − θ')`, `a = max(1/(t + 1), 1 − decay)` in the t-th averaged step: the plain mean of all steps where
    decay is 1. Until averaging begins, evaluated is the student as it is. Before each evaluation the running means
    and variances of batch normalisation are estimated anew for the averaged weights, on training samples of the
    domains that the method reads, by domain or together as `statistics` says.

    Paper: Izmailov et al. 2018 (SWA), algorithm 1, and Cha et al. 2021 (SWAD), section 3.2, for an average over every
    step. Deviation: it begins at a fixed share of the run, and the validator chooses where it ends, where SWAD finds
    both by the loss on validation samples.
    Cost: that of the student's weights, once more, and a pass without gradients before an evaluation.

    objectives: the terms of the student's loss, cross-entropy on the source where none is given. since: the share of
    the run from which on it averages. decay: below 1 an exponential average that forgets the first steps.
    statistics: as of `distill`.

    >>> WeightAverage(since=1.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'since' of weight_average must be in [0, 1). Got 1.0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ()
    steps: Tensor

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        since: Annotated[float, Ge(0), Lt(1)] = 0.5,
        decay: Annotated[float, Gt(0), Le(1)] = 1.0,
        statistics: Statistics = "separate",
    ):
        super().__init__(objectives or [CrossEntropy()], statistics)
        if not 0 <= since < 1:
            raise bad_value("since", "weight_average", "in [0, 1)", since)
        if not 0 < decay <= 1:
            raise bad_value("decay", "weight_average", "in (0, 1]", decay)
        self.since = since
        self.decay = decay
        self.averages = since == 0

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        self.average = copy.deepcopy(student).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def evaluated(self) -> Observed:
        return self.average

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.average.eval()
        return self

    def at(self, progress: float) -> None:
        super().at(progress)
        self.averages = progress >= self.since

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        return [Update(self.said(batches, knowledge)[1])]

    @torch.no_grad()
    def after_update(self) -> None:
        """Move the average, counted on the device; before it begins, the average is the student itself."""
        share = (1 / (self.steps + 1)).clamp(min=1 - self.decay)
        move_towards(self.average.network, self.student.network, share)
        if self.averages:
            self.steps += 1

    def before_evaluation(self, domains: Mapping[str, DomainView]) -> None:
        """Estimate the average's running statistics, once it averages."""
        if self.steps > 0:
            device = next(self.average.parameters()).device
            streams = {"source" if stream == "source" else "target" for stream in self.reads()}
            if self.statistics == "target":
                streams = {"target"}
            chosen = [_drawn(domains[stream], stream) for stream in sorted(streams)]
            if self.statistics == "joint":  # as many of each, together, as in a step
                longest = max(len(rows) for rows in chosen)
                chosen = [rows.repeat(-(-longest // len(rows)))[:longest] for rows in chosen]
            parts = [
                _batches(domains[stream].inputs, rows) for stream, rows in zip(sorted(streams), chosen, strict=True)
            ]
            together = map(torch.cat, zip(*parts, strict=True)) if self.statistics == "joint" else chain(*parts)
            renew_statistics(self.average, (inputs.to(device) for inputs in together))


def _drawn(view: DomainView, stream: str) -> Tensor:
    """Training rows of a domain, drawn once."""
    rows = view.splits["train"] if stream == "source" else training_rows(view)
    return rows[torch.from_numpy(generator(0, "statistics", stream).permutation(len(rows))[:SAMPLES])]


def _batches(inputs: Tensor, rows: Tensor) -> Iterator[Tensor]:
    """These rows in batches of nearly equal size, read one by one."""
    return (inputs[some] for some in rows.tensor_split(-(-len(rows) // AT_ONCE)))
