"""The keys of a recipe, and a validated recipe that can be carried out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Gt, MinLen
from torch import nn

from limbeck.augmentations import Augmentation
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
from limbeck.recipes._weighting import Weighting
from limbeck.teachers import Teacher
from limbeck.trackers import Tracker
from limbeck.training import Training

__all__ = [
    "OPEN",
    "AutoPlan",
    "GapPlan",
    "KnowledgePlan",
    "Learner",
    "Plan",
    "Recipe",
    "Row",
    "TeacherPlan",
    "objectives_of",
    "read_row",
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

    source: the one of several sources that it learns from alone. augmentation: of what it learns from, the
    recipe's where it does not say, [] for none.
    """

    teacher: Annotated[Teacher, Inline()]
    method: Method | None = None
    source: str | None = None
    title: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    augmentation: Sequence[Augmentation] | None = None


@dataclass(frozen=True)
class Row:
    """A line of the comparison table: a method, what it starts from, and what it changes in `training`.

    start: the row or the teacher from whose weights it goes on. teacher: by whom it is taught, the
    first teacher where it does not say. student: another network than the recipe's. validator:
    another choice of the checkpoint than the recipe's. augmentation: other augmentations than the
    recipe's, [] for none.
    """

    method: Annotated[Method, Inline()]
    start: str | None = None
    teacher: str | None = None
    title: str | None = None
    student: nn.Module | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    validator: str | None = None
    augmentation: Sequence[Augmentation] | None = None


@dataclass(frozen=True)
class GapPlan:
    """How the gap is measured: by these distances (all that can, where none are named)."""

    distances: Sequence[Distance] = ()
    settings: GapSettings = field(default_factory=GapSettings)


@dataclass(frozen=True)
class Recipe:
    """The keys of a recipe file.

    `teacher: …` is short for `teachers: {teacher: …}`. rows: where there are none, a student of the
    source alone and one whose method is chosen, `auto: auto`. augmentation: what is done to the inputs
    in training, one after another, in every row and teacher that does not say otherwise. weighting:
    how often the source's samples are drawn: all alike ("equal"), each of several sources by its
    share in the mixture that is most like the target ("domain"), or each sample by how likely it is
    there ("sample"). match: whether the source's images are moved to where the target's content
    lies. export: the formats in which the student of the chosen row leaves the run, after the
    evaluation. choices: what an earlier run decided by measurement (precision and the like), to be
    kept; a run writes its own here.
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
    weighting: Weighting = "equal"
    classes: Literal["same", "shared", "source"] = "same"
    match: Literal["none", "frame"] = "none"
    gap: GapPlan = field(default_factory=GapPlan)
    auto: AutoPlan = field(default_factory=AutoPlan)
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
    """One validated recipe, ready to be carried out; `cell` is its name within a matrix.

    decided: the row that was `auto` in the recipe, once a contest has chosen its method.
    """

    name: str
    cell: str | None
    tree: ObjectNode
    decided: str | None = None

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

    @property
    def open_row(self) -> str | None:
        """The name of the row whose method is still to be chosen."""
        nodes = self._nodes("rows").items()
        return next((name for name, row in nodes if isinstance(row, ValueNode) and row.value == OPEN), None)

    def decide(self, row: Mapping[str, Any] | None) -> Plan:
        """This plan with the chosen row in the place of the open one, or without it where there is None."""
        name = self.open_row
        assert name is not None, "there is a row to decide"
        kept = {key: node for key, node in self._nodes("rows").items() if key != name or row is not None}
        rows = {key: read_row(key, row) if key == name and row is not None else node for key, node in kept.items()}
        return replace(self, tree=self._with(rows=MapNode(rows)), decided=name)

    def trial(self, rows: Mapping[str, ObjectNode], seed: int) -> Plan:
        """This plan with other rows, the first of which is the baseline, for one seed."""
        first = next(iter(rows))
        tree = self._with(rows=MapNode({**rows}), seeds=ValueNode([seed]), baseline=ValueNode(first))
        return replace(self, tree=tree)

    def _with(self, **nodes: Node) -> ObjectNode:
        return replace(self.tree, settings={**self.tree.settings, **nodes})

    def names(self, key: str) -> list[str]:
        """The names of the rows or the teachers, also of those that could not be read."""
        return list(self._nodes(key))

    def _named(self, key: str) -> dict[str, ObjectNode]:
        return {name: item for name, item in self._nodes(key).items() if isinstance(item, ObjectNode)}

    def _nodes(self, key: str) -> dict[str, Node]:
        node = self.tree.settings[key]
        return node.items if isinstance(node, MapNode) else {}

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
        """The resolved recipe, defaults written out; a chosen row stands among the choices."""
        content = {**self.tree.dump(), "name": self.name}
        if self.decided is not None:
            content["rows"] = {**content["rows"], self.decided: OPEN}
        return content


def read_row(name: str, row: Mapping[str, Any]) -> ObjectNode:
    """A row as a recipe writes it; `UsageError` where it is none."""
    faults = Faults()
    node = parse(Row, row, f"rows.{name}", "the recipe", faults)
    faults.raise_any(f"row {name!r}")
    assert isinstance(node, ObjectNode)
    return node


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
