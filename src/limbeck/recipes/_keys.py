"""The keys of a recipe: what may stand there, of which type, with which default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, MinLen
from torch import nn

from limbeck.augmentations import Augmentation
from limbeck.compression import Compression
from limbeck.core import Inline, UsageError, bad_value
from limbeck.data import Data, Match, SplitSettings
from limbeck.distances import Distance
from limbeck.export import Export
from limbeck.gap import GapSettings
from limbeck.knowledge import Keeping
from limbeck.methods import Method
from limbeck.recipes._weighting import Weighting
from limbeck.teachers import Teacher
from limbeck.trackers import Tracker
from limbeck.training import Training

__all__ = [
    "ITSELF",
    "OPEN",
    "AutoPlan",
    "Budget",
    "Cost",
    "GapPlan",
    "KnowledgePlan",
    "Learner",
    "Range",
    "Recipe",
    "Row",
    "SearchPlan",
    "Step",
    "TeacherPlan",
]


OPEN = "auto"
"""What stands in the place of a row whose method a contest is to choose."""


@dataclass(frozen=True)
class AutoPlan:
    """How the method of a row `auto` is chosen: by a contest without target labels.

    budget: about so many minutes for it. source_free: choose among the methods that read no sample of the source.
    """

    budget: Annotated[float, Gt(0)] = 5.0
    source_free: bool = False


ITSELF = "student"
"""The name under which a step is taught by the row's own student, as it was before any step."""


@dataclass(frozen=True)
class KnowledgePlan:
    """How students get the teacher's knowledge.

    read: from the "store", where each sample's knowledge is computed once, "live" from the
    teacher at every step, or "auto", whichever takes less time by measurement. views: so many
    augmented views of each sample are stored, and training replays exactly these; needed where a
    store is to serve augmented training. keeping: what is stored, in which numbers.
    """

    read: Literal["auto", "store", "live"] = "store"
    views: Annotated[int, Gt(0)] | None = None
    keeping: Keeping = field(default_factory=Keeping)

    def __post_init__(self) -> None:
        if self.read != "store" and self.keeping != Keeping():
            raise UsageError("The 'keeping' of knowledge says what a store keeps: set 'knowledge.read' to store.")


@dataclass(frozen=True)
class TeacherPlan:
    """The teacher, and how it is trained where it is not loaded: by any method, on top of `training`.

    source: the one of several sources that it learns from alone. augmentation, target_augmentation: of what it
    learns from, the recipe's where it does not say, [] for none.
    """

    teacher: Annotated[Teacher, Inline()]
    method: Method | None = None
    source: str | None = None
    title: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    augmentation: Sequence[Augmentation] | None = None
    target_augmentation: Sequence[Augmentation] | None = None


@dataclass(frozen=True)
class Step:
    """A step of a row's compression, and how what it lost is learnt again where the step is fine-tuned.

    teacher: whose answers it learns from: a teacher, or "student", the row's own student before any
    step; by default the row's teacher, the student where the row has none or the step asks for it.
    method: how, on the target's soft labels where it does not say. training: what it changes in the
    row's training.
    """

    step: Annotated[Compression, Inline()]
    teacher: str | None = None
    method: Method | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    title: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of the comparison table: a method, what it starts from, and what it changes in `training`.

    start: the row or the teacher from whose weights it goes on. teacher: by whom it is taught, the
    first teacher where it does not say. student: another network than the recipe's. validator:
    another choice of the checkpoint than the recipe's. augmentation, target_augmentation: others than
    the recipe's, [] for none. compress: steps that make the trained student smaller, one after another.
    """

    method: Annotated[Method, Inline()]
    start: str | None = None
    teacher: str | None = None
    title: str | None = None
    student: nn.Module | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    augmentation: Sequence[Augmentation] | None = None
    target_augmentation: Sequence[Augmentation] | None = None
    compress: Sequence[Step] = ()


@dataclass(frozen=True)
class GapPlan:
    """How the gap is measured: by these distances (all that can, where none are named)."""

    distances: Sequence[Distance] = ()
    settings: GapSettings = field(default_factory=GapSettings)


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, whole ones where both are.

    log: on a logarithmic scale, which is the default above 0. length: a list of so many such numbers; of two
    lengths, from the one to the other.
    """

    low: int | float
    high: int | float
    log: bool | None = None
    length: Annotated[int, Ge(0)] | tuple[Annotated[int, Ge(0)], Annotated[int, Ge(0)]] | None = None

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise bad_value("low", "a range", f"at most 'high', {self.high}", self.low)
        if self.log and self.low <= 0:
            raise bad_value("low", "a logarithmic range", "> 0", self.low)
        if self.lengths is not None and self.lengths[0] > self.lengths[1]:
            raise bad_value("length", "a range", "a number, or two in ascending order", list(self.lengths))

    @property
    def lengths(self) -> tuple[int, int] | None:
        """The least and the greatest length of a list; None where it is a number."""
        return (self.length, self.length) if isinstance(self.length, int) else self.length

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def logarithmic(self) -> bool:
        return self.low > 0 if self.log is None else self.log


@dataclass(frozen=True)
class Budget:
    """The most that a student may cost; None for no limit.

    bytes: of its weights. multiply_adds: of one sample. latency: milliseconds of one sample, on one thread of this
    machine, in PyTorch.
    """

    bytes: Annotated[int, Gt(0)] | None = None
    multiply_adds: Annotated[int, Gt(0)] | None = None
    latency: Annotated[float, Gt(0)] | None = None


Cost = Literal["bytes", "multiply_adds", "latency"]


@dataclass(frozen=True)
class SearchPlan:
    """How `limbeck search` looks for a smaller or better student.

    row: whose student; the last row that learns without all labels of the target, where it does not say. space: places
    in the recipe, as for --set, and what may stand there: a range, or a list of values; the sizes of the student,
    the weights and temperatures of the row's objectives, where it does not say. budget: what a student may cost.
    costs: what is to be low beside a high score; what the budget limits, or bytes where it limits nothing. choose: of
    the students within the budget the one that costs least (by the first of the costs) and scores no worse than the
    recipe's own, "smallest", or the one that scores "best". validator: the score; the row's own where it does not say.
    trials: so many students are trained with the first seed, the recipe's own among them. prune: end a training that
    is worse than half of those that cost no more. seed: of the suggestions.
    """

    row: str | None = None
    space: Mapping[str, Range | Sequence[Any]] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    costs: Sequence[Cost] = ()
    choose: Literal["smallest", "best"] = "smallest"
    validator: str | None = None
    trials: Annotated[int, Gt(1)] = 30
    prune: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """The keys of a recipe file.

    `teacher: …` is short for `teachers: {teacher: …}`. rows: where there are none, a student of the
    source alone and one whose method is chosen, `auto: auto`. augmentation: what is done to the inputs
    in training, one after another, in every row and teacher that does not say otherwise.
    target_augmentation: what is done to the target's in its place. weighting: how often the
    source's samples are drawn: all alike ("equal"), each of several sources by its share in the
    mixture that is most like the target ("domain"), or each sample by how likely it is there
    ("sample"). match: whether the source's images are moved to where the target's content
    lies ("frame"), or each number is scaled by its own domain ("columns"), or those alone that lie
    on another scale ("units"). export: the formats in
    which the student of the chosen row leaves the run, after the evaluation. search: how `limbeck
    search` looks for another student; a run does not read it. choices: what an earlier run decided
    by measurement (precision and the like), to be kept; a run writes its own here.
    """

    source: Data
    target: Data
    student: nn.Module
    rows: Annotated[Mapping[str, Row], MinLen(1)]
    name: str | None = None
    teachers: Mapping[str, TeacherPlan] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    augmentation: Sequence[Augmentation] = ()
    target_augmentation: Sequence[Augmentation] | None = None
    knowledge: KnowledgePlan = field(default_factory=KnowledgePlan)
    split: SplitSettings = field(default_factory=SplitSettings)
    weighting: Weighting = "equal"
    classes: Literal["same", "shared", "source"] = "same"
    match: Match = "none"
    gap: GapPlan = field(default_factory=GapPlan)
    auto: AutoPlan = field(default_factory=AutoPlan)
    seeds: Annotated[int, Gt(0)] | Sequence[int] = 3
    baseline: str | None = None
    validator: str | None = None
    trackers: Sequence[Tracker] = ()
    export: Sequence[Export] = ()
    search: SearchPlan = field(default_factory=SearchPlan)
    choices: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Learner:
    """The keys of a recipe by which a trained student is built again."""

    student: nn.Module
    rows: Mapping[str, Row]
    teachers: Mapping[str, TeacherPlan] = field(default_factory=dict)
