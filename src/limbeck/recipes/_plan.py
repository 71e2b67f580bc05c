"""The keys of a recipe, and a validated recipe that can be carried out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Gt, MinLen
from torch import nn

from limbeck.augmentations import Augmentation
from limbeck.compression import Compression
from limbeck.core import Inline, UsageError
from limbeck.data import Data, SplitSettings
from limbeck.distances import Distance
from limbeck.export import Export
from limbeck.gap import GapSettings
from limbeck.knowledge import Keeping
from limbeck.methods import Method
from limbeck.objectives import Objective
from limbeck.recipes._nodes import ListNode, MapNode, Node, ObjectNode, ValueNode
from limbeck.recipes._schema import Faults, parse
from limbeck.teachers import Teacher
from limbeck.trackers import Tracker
from limbeck.training import Training

__all__ = [
    "ITSELF",
    "GapPlan",
    "KnowledgePlan",
    "Learner",
    "Plan",
    "Recipe",
    "Row",
    "Step",
    "TeacherPlan",
    "objectives_of",
]


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

    augmentation: of what it learns from, the recipe's where it does not say, [] for none.
    """

    teacher: Annotated[Teacher, Inline()]
    method: Method | None = None
    title: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    augmentation: Sequence[Augmentation] | None = None


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
    another choice of the checkpoint than the recipe's. augmentation: other augmentations than the
    recipe's, [] for none. compress: steps that make the trained student smaller, one after another.
    """

    method: Annotated[Method, Inline()]
    start: str | None = None
    teacher: str | None = None
    title: str | None = None
    student: nn.Module | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    augmentation: Sequence[Augmentation] | None = None
    compress: Sequence[Step] = ()


@dataclass(frozen=True)
class GapPlan:
    """How the gap is measured: by these distances (all that can, where none are named)."""

    distances: Sequence[Distance] = ()
    settings: GapSettings = field(default_factory=GapSettings)


@dataclass(frozen=True)
class Recipe:
    """The keys of a recipe file.

    `teacher: …` is short for `teachers: {teacher: …}`. augmentation: what is done to the inputs
    in training, one after another, in every row and teacher that does not say otherwise. export:
    the formats in which the student of the chosen row leaves the run, after the evaluation.
    choices: what an earlier run decided by measurement (precision and the like), to be kept; a run
    writes its own here.
    """

    source: Data
    target: Data
    student: nn.Module
    rows: Annotated[Mapping[str, Row], MinLen(1)]
    name: str | None = None
    teachers: Mapping[str, TeacherPlan] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    augmentation: Sequence[Augmentation] = ()
    knowledge: KnowledgePlan = field(default_factory=KnowledgePlan)
    split: SplitSettings = field(default_factory=SplitSettings)
    classes: Literal["same", "shared", "source"] = "same"
    gap: GapPlan = field(default_factory=GapPlan)
    seeds: Annotated[int, Gt(0)] | Sequence[int] = 3
    baseline: str | None = None
    validator: str | None = None
    trackers: Sequence[Tracker] = ()
    export: Sequence[Export] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Learner:
    """The keys of a recipe by which a trained student is built again."""

    student: nn.Module
    rows: Mapping[str, Row]
    teachers: Mapping[str, TeacherPlan] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One validated recipe, ready to be carried out; `cell` is its name within a matrix."""

    name: str
    cell: str | None
    tree: ObjectNode

    def make(self, key: str) -> Any:
        """New objects for a top-level key."""
        return self.tree.settings[key].make()

    def value(self, key: str) -> Any:
        """The plain value of a top-level key; None where it could not be read."""
        node = self.tree.settings[key]
        return node.value if isinstance(node, ValueNode) else None

    @property
    def rows(self) -> dict[str, ObjectNode]:
        return self._named("rows")

    @property
    def teachers(self) -> dict[str, ObjectNode]:
        return self._named("teachers")

    def names(self, key: str) -> list[str]:
        """The names of the rows or the teachers, also of those that could not be read."""
        node = self.tree.settings[key]
        return list(node.items) if isinstance(node, MapNode) else []

    def _named(self, key: str) -> dict[str, ObjectNode]:
        node = self.tree.settings[key]
        items = node.items if isinstance(node, MapNode) else {}
        return {name: item for name, item in items.items() if isinstance(item, ObjectNode)}

    def teacher_of(self, row: str) -> str | None:
        """The name of the teacher that teaches a row; None where there is none."""
        return self.rows[row].settings["teacher"].make() or next(iter(self.teachers), None)

    @property
    def seeds(self) -> list[int]:
        seeds = self.value("seeds")
        return list(range(seeds)) if isinstance(seeds, int) else list(seeds or ())

    @property
    def baseline(self) -> str:
        """The row that the others are compared with: the first, where the recipe does not say."""
        return self.value("baseline") or next(iter(self.rows), "")

    def training(self, node: ObjectNode) -> Training:
        """The recipe's training with what a row or the teacher changes in it."""
        base = dataclasses.asdict(self.make("training"))
        settings = parse(Training, {**base, **node.settings["training"].make()}, f"{node.path}.training", "", Faults())
        return settings.make()

    def augmentation(self, node: ObjectNode) -> list[Augmentation]:
        """The augmentations of a row or a teacher: its own, or the recipe's."""
        own = node.settings["augmentation"].make()
        return list(self.make("augmentation") if own is None else own)

    def foreign(self) -> list[str]:
        """The classes outside limbeck that this recipe calls."""
        return sorted(_foreign(self.tree))

    def dump(self) -> dict[str, Any]:
        """The resolved recipe, defaults written out."""
        return {**self.tree.dump(), "name": self.name}


def objectives_of(method: Method) -> list[Objective]:
    """The objectives inside a method."""
    return [module for module in method.modules() if isinstance(module, Objective)]


def _foreign(node: Node) -> set[str]:
    """The dotted paths below a node."""
    own = {str(node.name)} if isinstance(node, ObjectNode) and node.foreign else set()
    below: Iterable[Node] = ()
    if isinstance(node, ObjectNode):
        below = node.settings.values()
    elif isinstance(node, MapNode):
        below = node.items.values()
    elif isinstance(node, ListNode):
        below = node.items
    return own.union(*map(_foreign, below))
