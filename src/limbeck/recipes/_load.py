"""A recipe: one whole file, read, overridden, multiplied by its matrix, and validated."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from limbeck.core import UsageError, did_you_mean
from limbeck.data import Data, Raw
from limbeck.recipes._check import check_plan
from limbeck.recipes._nodes import ObjectNode
from limbeck.recipes._overrides import override, put
from limbeck.recipes._plan import Learner, Plan, Recipe
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
    cells = _cells(content.pop("matrix", None))
    faults: dict[str | None, Faults] = {cell: Faults() for cell in cells}
    plans = [_plan(content, name, cell, changes, overrides, faults[cell]) for cell, changes in cells.items()]
    _together(faults).raise_any(f"recipe {name}")
    return [plan for plan in plans if plan is not None]


def load_learner(run: Path, row: str) -> Plan:
    """A plan that can build the student of one row and no more: it needs neither the data nor what others name."""
    content, name = _read(run)
    known = content["rows"].get(row)
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
    tree = parse(Recipe, own, "", "the recipe", faults)
    if not isinstance(tree, ObjectNode):
        return None
    plan = Plan(str(own.get("name") or name), cell, tree)
    check_plan(plan, faults)
    return plan


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
