"""What an evaluation is given: the rows of the comparison, their seeds, and the opened labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import Opening, Task, UsageError, bad_value, did_you_mean

__all__ = ["ChainRecord", "History", "Reads", "RowRecord", "SeedRecord", "StepRecord", "Study"]

Labels = Int[Tensor, " _"] | Float[Tensor, " _"]


@dataclass(frozen=True)
class History:
    """The checkpoints that a training could choose from.

    epochs: of each checkpoint. scores: of the validator that chose, higher is better. logits:
    [checkpoints, n, outputs], of n samples of the target's selection split (`some_of`). diagnostics: what an adaptive
    training told of itself at each, by name.
    """

    epochs: Sequence[int]
    scores: Sequence[float]
    logits: Float[Tensor, "checkpoints n outputs"]
    diagnostics: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class SeedRecord:
    """One trained model: the chosen epoch, its validators, its outputs on both test splits.

    Logits are the network's own: regression is brought into the user's unit by `Task.restore`.
    epoch and history are None where there was no checkpoint to choose. collapse: what was done about a training that
    collapsed, in a sentence.
    """

    seed: int
    epoch: int | None
    validators: Mapping[str, float]
    train_seconds: float
    history: History | None
    target_logits: Float[Tensor, "n outputs"]
    source_logits: Float[Tensor, "m outputs"]
    collapse: str | None = None


@dataclass(frozen=True)
class Reads:
    """What a training read, for the audit.

    training: the streams of its steps. selection: the domains on which its checkpoint was chosen.
    start: the row or teacher whose weights it went on from. teacher: who taught it. knowledge:
    what was used of the teacher's answer to one sample: how many numbers, by what they are.
    """

    training: Sequence[str]
    selection: Sequence[str]
    start: str | None = None
    teacher: str | None = None
    knowledge: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RowRecord:
    """A line of the comparison table. Sizes and times are None where a foreign teacher does not say them.

    reads: what its training read, None where it was not trained here.
    """

    name: str
    kind: Literal["teacher", "student", "upper_bound"]
    title: str
    method: str
    labelled_per_class: int
    parameters: int | None
    bytes: int | None
    milliseconds_per_sample: float | None
    seeds: Sequence[SeedRecord]
    reads: Reads | None = None

    def __post_init__(self) -> None:
        if not self.seeds:
            raise bad_value("seeds", f"the row {self.name}", "at least one trained model", len(self.seeds))


@dataclass(frozen=True)
class StepRecord:
    """A line of the compression table: a row's student before or after a step, over the row's seeds.

    logits: [n, outputs] of the target's test split, one for each seed. costs: of each seed, as JSON:
    parameters, bytes and the like (`limbeck.compression.Costs`).
    """

    title: str
    logits: Sequence[Float[Tensor, "n outputs"]]
    costs: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ChainRecord:
    """The steps of a row's compression, the student before any of them first.

    teacher: by whom the row was taught, or from whom it started, where that is a network.
    """

    row: str
    steps: Sequence[StepRecord]
    teacher: StepRecord | None = None


@dataclass(frozen=True)
class Study:
    """All that `assemble` reads.

    test_labels, selection_labels: of the target's splits, None where the target has none;
    source_test_labels: of the source's test split. All in the user's unit, as `Domain.open`
    gives them. validator: compares rows without labels. baseline: the name of the student row
    that the others are measured against. choice: how the method of a row was chosen, where the recipe left it open.
    compressions: of the rows that have steps.

    Raises `UsageError` where the baseline is no student row.
    """

    name: str
    command: str
    version: str
    task: Task
    source_name: str
    target_name: str
    labelled_per_class: int
    rows: Sequence[RowRecord]
    baseline: str
    validator: str
    test_labels: Labels | None
    source_test_labels: Labels
    selection_labels: Labels | None
    openings: Sequence[Opening]
    choice: Mapping[str, Any] | None = None
    compressions: Sequence[ChainRecord] = ()

    def __post_init__(self) -> None:
        students = [row.name for row in self.rows if row.kind == "student"]
        if self.baseline not in students:
            hint = did_you_mean(self.baseline, students)
            raise UsageError(f"The baseline must be a student row, and {self.baseline!r} is none. {hint}")
