"""A validated recipe that can be carried out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from limbeck.augmentations import Augmentation
from limbeck.methods import Method
from limbeck.objectives import Objective
from limbeck.recipes._keys import OPEN, Row, SearchPlan
from limbeck.recipes._nodes import ListNode, MapNode, Node, ObjectNode, ValueNode
from limbeck.recipes._schema import Faults, parse
from limbeck.training import Training

__all__ = ["Plan", "objectives_of", "read_row"]


@dataclass(frozen=True)
class Plan:
    """One validated recipe, ready to be carried out; `cell` is its name within a matrix.

    decided: the row that was `auto` in the recipe, once a contest has chosen its method. added: the teacher that
    stands beside the recipe's, where the contest adapted one.
    """

    name: str
    cell: str | None
    tree: ObjectNode
    decided: str | None = None
    added: str | None = None

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

    def decide(self, choice: Mapping[str, Any]) -> Plan:
        """This plan with the row of a choice in the place of the open one, or without it where that is None.

        choice: as a contest keeps it: the "row", and the "adapted" teacher, where it is taught by one.
        """
        name, row = self.open_row, choice["row"]
        assert name is not None, "there is a row to decide"
        plan = self if choice.get("adapted") is None else self.with_adapted(choice["adapted"])
        kept = {key: node for key, node in plan._nodes("rows").items() if key != name or row is not None}
        rows = {key: read_row(key, row) if key == name and row is not None else node for key, node in kept.items()}
        return replace(plan, tree=plan._with(rows=MapNode(rows)), decided=name)

    def with_adapted(self, adapted: Mapping[str, Any]) -> Plan:
        """This plan with one more teacher: "name", which is as the one "of" which it is made, by another "method"."""
        name, known = adapted["name"], self.teachers[adapted["of"]]
        method = read_row(name, adapted["method"]).settings["method"]
        title = ValueNode(f"{known.make().title or adapted['of']}, adapted")
        node = replace(known, path=f"teachers.{name}", settings={**known.settings, "method": method, "title": title})
        return replace(self, tree=self._with(teachers=MapNode({**self._nodes("teachers"), name: node})), added=name)

    def trial(self, rows: Mapping[str, ObjectNode], seed: int) -> Plan:
        """This plan with other rows, the first of which is the baseline, for one seed; none of them is searched."""
        first, search = next(iter(rows)), ValueNode(SearchPlan())
        tree = self._with(rows=MapNode({**rows}), seeds=ValueNode([seed]), baseline=ValueNode(first), search=search)
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

    def augmentation(self, node: ObjectNode, domain: Literal["source", "target"] = "source") -> list[Augmentation]:
        """What a row or a teacher does to the samples of a domain: as it says itself, or else the recipe."""
        keys = ("augmentation",) if domain == "source" else ("target_augmentation", "augmentation")
        said = (settings[key].make() for settings in (node.settings, self.tree.settings) for key in keys)
        return list(next(parts for parts in said if parts is not None))

    def foreign(self) -> list[str]:
        """The classes outside limbeck that this recipe calls."""
        return sorted(_foreign(self.tree))

    def dump(self) -> dict[str, Any]:
        """The resolved recipe, defaults written out; what a contest chose stands among the choices."""
        content = {**self.tree.dump(), "name": self.name}
        content["teachers"] = {name: node for name, node in content["teachers"].items() if name != self.added}
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
