"""Parts and recipes in words."""

from __future__ import annotations

import inspect
from pathlib import Path

from limbeck.core import UsageError, did_you_mean
from limbeck.recipes._load import shipped_recipes
from limbeck.recipes._rooms import ROOMS, part_class, part_names

__all__ = ["describe", "recipe_summary"]


def recipe_summary(path: Path) -> str:
    """The first comment line of a recipe file."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def describe(what: str) -> str:
    """The text of a shipped recipe, or a part's documentation and settings."""
    recipes = shipped_recipes()
    if what in recipes:
        return recipes[what].read_text(encoding="utf-8")
    homes = [room for room in ROOMS if what in part_names(room)]
    if not homes:
        known = [*recipes, *(name for room in ROOMS for name in part_names(room))]
        raise UsageError(f"There is no part, recipe or run folder {what!r}. {did_you_mean(what, known)}")
    texts = []
    for room in homes:
        kind = part_class(room, what)
        texts.append(f"{what}, a {room.noun}\n\n{inspect.getdoc(kind)}\n\nSettings:\n{_settings(kind)}")
    return "\n\n".join(texts)


def _settings(kind: type) -> str:
    lines = []
    for name, parameter in inspect.signature(kind).parameters.items():
        default = "required" if parameter.default is parameter.empty else f"default {parameter.default!r}"
        lines.append(f"  {name}: {parameter.annotation} ({default})")
    return "\n".join(lines) or "  none"
