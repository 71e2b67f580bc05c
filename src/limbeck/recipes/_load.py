"""A recipe: one whole file, read, overridden, multiplied by its matrix, and validated."""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from limbeck.core import UsageError, did_you_mean
from limbeck.data import Data, Raw
from limbeck.methods import DEFAULT, SOURCE_FREE
from limbeck.recipes._check import check_plan
from limbeck.recipes._keys import OPEN, Learner, Recipe
from limbeck.recipes._nodes import MapNode, ObjectNode, ValueNode
from limbeck.recipes._overrides import override, put
from limbeck.recipes._plan import Plan
from limbeck.recipes._schema import Faults, parse
from limbeck.recipes._yaml import read_yaml

__all__ = ["load_learner", "load_plans", "read_domain", "shipped_recipes"]


def shipped_recipes() -> dict[str, Path]:
    """The recipes in the package, by name."""
    folder = Path(str(importlib.resources.files("limbeck.recipes")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_plans(reference: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> list[Plan]:
    """Read a recipe by name, path or mapping, into one plan a cell of its matrix.

    overrides: `a.b=c`, with c in YAML. `UsageError` lists every fault of every cell.
    """
    content, name = _read(reference)
    if "candidates" in content:
        raise UsageError(f"The recipe {name} has 'candidates' in place of a source: it is one for `limbeck rank`.")
    cells = _cells(content.pop("matrix", None))
    faults: dict[str | None, Faults] = {cell: Faults() for cell in cells}
    plans = [_plan(content, name, cell, changes, overrides, faults[cell]) for cell, changes in cells.items()]
    _together(faults).raise_any(f"recipe {name}")
    return [plan for plan in plans if plan is not None]


def load_learner(run: Path, row: str) -> Plan:
    """A plan that can build the student of one row and no more: it needs neither the data nor what others name."""
    content, name = _read(run)
    known = content["rows"].get(row)
    if known == OPEN:
        known = (content.get("choices") or {})[OPEN]["row"]
    start = known.get("start") if isinstance(known, Mapping) else None
    teachers = {key: value for key, value in (content.get("teachers") or {}).items() if key == start}
    faults = Faults()
    tree = parse(Learner, {"student": content["student"], "rows": {row: known}, "teachers": teachers}, "", "it", faults)
    faults.raise_any(f"the student of {run}, row {row!r}")
    assert isinstance(tree, ObjectNode)
    return Plan(name, None, tree)


def read_domain(data: Any) -> Raw:
    """Read one domain from a data part as a recipe names it."""
    faults = Faults()
    node = parse(Data, data, "data", "data", faults)
    faults.raise_any("the data part")
    return node.make().load()


def _cells(matrix: Any) -> dict[str | None, Mapping[str, Any]]:
    """The changes that make each cell; one cell without a name where there is no matrix."""
    if not matrix:
        return {None: {}}
    if not isinstance(matrix, Mapping):
        raise UsageError(f"The 'matrix' of a recipe must be a mapping of names to changes. Got {matrix!r}.")
    for cell, changes in matrix.items():
        if not isinstance(changes or {}, Mapping):
            raise UsageError(
                f"The cell {str(cell)!r} of the matrix must be a mapping of changes, such as "
                f"{{target.csv.path: other.csv}}. Got {changes!r}."
            )
    return {str(cell): changes or {} for cell, changes in matrix.items()}


def _plan(
    content: dict[str, Any],
    name: str,
    cell: str | None,
    changes: Mapping[str, Any],
    overrides: Sequence[str],
    faults: Faults,
) -> Plan | None:
    own = _copied(content)
    if "teacher" in own:
        if "teachers" in own:
            faults.add("teacher", "Give either 'teacher' or 'teachers'.")
        own["teachers"] = {"teacher": own.pop("teacher")} | dict(own.get("teachers") or {})
    try:
        for key, value in changes.items():
            put(own, str(key), _copied(value))
        for text in overrides:
            override(own, text)
    except UsageError as error:
        faults.append(str(error))
        return None
    order = _complete(own, faults)
    tree = parse(Recipe, own, "", "the recipe", faults)
    if not isinstance(tree, ObjectNode):
        return None
    plan = Plan(str(own.get("name") or name), cell, _with_open_row(tree, order))
    choice = (plan.value("choices") or {}).get(OPEN)
    if plan.open_row is not None and choice is not None:
        plan = plan.decide(choice)
    check_plan(plan, faults)
    return plan


def _complete(content: dict[str, Any], faults: Faults) -> list[str]:
    """Fill in the rows that may be left out, and take out the open one; the names of all, in order."""
    rows = content.setdefault("rows", {OPEN: OPEN})
    if not isinstance(rows, Mapping):
        return []
    free = [str(name) for name, row in rows.items() if row == OPEN]
    for name in free[1:]:
        faults.add(f"rows.{name}", f"One row of a recipe can be chosen by a contest, and {free[0]!r} is.")
    if free and len(rows) == len(free):
        settings = content.get("auto")
        source_free = isinstance(settings, Mapping) and settings.get("source_free") is True
        rows = {"alone": SOURCE_FREE if source_free else DEFAULT, **rows}
    content["rows"] = {name: row for name, row in rows.items() if row != OPEN}
    return [str(name) for name in rows if str(name) not in free[1:]]


def _with_open_row(tree: ObjectNode, order: Sequence[str]) -> ObjectNode:
    """The open row at its place, which holds it until its method is chosen."""
    rows = tree.settings["rows"]
    if not isinstance(rows, MapNode):
        return tree
    nodes = {name: rows.items.get(name, ValueNode(OPEN)) for name in order}
    return dataclasses.replace(tree, settings={**tree.settings, "rows": MapNode(nodes)})


def _together(faults: Mapping[str | None, Faults]) -> Faults:
    """The faults of all cells: those that all have once, the others with the cell's name."""
    everywhere = [fault for fault in next(iter(faults.values())) if all(fault in own for own in faults.values())]
    together = Faults(dict.fromkeys(everywhere))
    for cell, own in faults.items():
        together += [f"{cell}: {fault}" for fault in dict.fromkeys(own) if fault not in everywhere]
    return together


def _read(reference: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    if isinstance(reference, Mapping):
        return _copied(reference), str(reference.get("name") or "run")
    known = shipped_recipes()
    path = known.get(str(reference), Path(reference))
    if (path / "recipe.yaml").is_file():
        path = path / "recipe.yaml"
    if not path.is_file():
        raise UsageError(
            f"There is no recipe {str(reference)!r}, neither a file nor shipped. {did_you_mean(str(reference), known)}"
        )
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} is not YAML that can be read: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} must hold a mapping of keys such as source, target, student, rows. It holds {content!r:.60}."
        )
    return content, path.stem


def _copied(value: Any) -> Any:
    """A copy of the containers alone: arrays and networks given from Python stay themselves."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
