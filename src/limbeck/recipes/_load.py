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
from limbeck.recipes._plan import Plan, Recipe
from limbeck.recipes._schema import Faults, parse

__all__ = ["load_plans", "read_domain", "shipped_recipes"]


def shipped_recipes() -> dict[str, Path]:
    """The recipes in the package, by name."""
    folder = Path(str(importlib.resources.files("limbeck.recipes")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_plans(reference: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> list[Plan]:
    """Read a recipe by name, path or mapping, into one plan a cell of its matrix.

    overrides: `a.b=c`, with c in YAML. `UsageError` lists every fault of every cell.
    """
    content, name = _read(reference)
    matrix = content.pop("matrix", None) or {None: {}}
    if not isinstance(matrix, Mapping):
        raise UsageError(f"The 'matrix' of a recipe must be a mapping of names to changes. Got {matrix!r}.")
    faults = Faults()
    plans = []
    for cell, changes in matrix.items():
        own = _copied(content)
        for key, value in (changes or {}).items():
            _set(own, str(key), value)
        for override in overrides:
            key, equals, text = override.partition("=")
            if not equals:
                raise UsageError(f"--set needs a.b=c. Got {override!r}.")
            _set(own, key.strip(), yaml.safe_load(text))
        plan = _plan(own, name, None if cell is None else str(cell), faults)
        if plan is not None:
            plans.append(plan)
    unique = Faults(dict.fromkeys(faults))
    unique.raise_any(f"recipe {name}")
    return plans


def read_domain(data: Any) -> Raw:
    """Read one domain from a data part as a recipe names it."""
    faults = Faults()
    node = parse(Data, data, "data", "data", faults)
    faults.raise_any("the data part")
    return node.make().load()


def _plan(content: dict[str, Any], name: str, cell: str | None, faults: Faults) -> Plan | None:
    before = len(faults)
    if "teacher" in content and "teachers" not in content:
        content = {**content, "teachers": {"teacher": content["teacher"]}}
        del content["teacher"]
    tree = parse(Recipe, content, "", "the recipe", faults)
    if len(faults) > before or not isinstance(tree, ObjectNode):
        return None
    plan = Plan(str(content.get("name") or name), cell, tree)
    check_plan(plan, faults)
    return plan


def _read(reference: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    if isinstance(reference, Mapping):
        return _copied(reference), str(reference.get("name") or "run")
    known = shipped_recipes()
    path = known.get(str(reference), Path(reference))
    if path.is_dir() and (path / "recipe.yaml").is_file():
        path = path / "recipe.yaml"
    if not path.is_file():
        raise UsageError(
            f"There is no recipe {str(reference)!r}, neither a file nor shipped. {did_you_mean(str(reference), known)}"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} must hold a mapping of keys such as source, target, student, rows. It holds {content!r}."
        )
    return content, path.stem


def _copied(value: Any) -> Any:
    """A copy of the containers alone: arrays and networks given from Python stay themselves."""
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _set(content: dict[str, Any], dotted: str, value: Any) -> None:
    """Change one value; a part given by its bare name becomes a mapping on the way."""
    *parents, last = dotted.split(".")
    place: Any = content
    for i, key in enumerate(parents):
        following = parents[i + 1] if i + 1 < len(parents) else last
        if isinstance(place, list):
            place = place[_index(place, key, dotted)]
            continue
        below = place.get(key)
        if isinstance(below, str):
            below = {below: {}}
        place[key] = below if isinstance(below, dict | list) else {}
        if isinstance(place[key], dict) and place[key].get(following, 0) is None:
            place[key][following] = {}
        place = place[key]
    if isinstance(place, list):
        place[_index(place, last, dotted)] = value
    else:
        place[last] = value


def _index(items: list[Any], key: str, dotted: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise UsageError(f"In {dotted!r}, {key!r} must be a number below {len(items)}: there is a list at that place.")
    return int(key)
