"""Parts, recipes and the keys of a recipe in words."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Le, Lt

from limbeck.core import UsageError, did_you_mean
from limbeck.data import SplitSettings
from limbeck.knowledge import Keeping
from limbeck.objectives import Term
from limbeck.recipes._keys import GapPlan, KnowledgePlan, Recipe, Row, Step, TeacherPlan
from limbeck.recipes._load import shipped_recipes
from limbeck.recipes._rooms import ROOMS, part_class, part_names, room_of
from limbeck.recipes._schema import settings_of
from limbeck.recipes._wording import KINDS, LIMITS
from limbeck.training import Training

__all__ = ["describe", "recipe_summary"]

_KEYS = {
    "recipe": Recipe,
    "row": Row,
    "compress": Step,
    "teachers": TeacherPlan,
    "objectives": Term,
    "training": Training,
    "split": SplitSettings,
    "gap": GapPlan,
    "knowledge": KnowledgePlan,
    "keeping": Keeping,
}
"""What stands in a recipe beside parts, by the key under which it does."""


def recipe_summary(path: Path) -> str:
    """The first comment line of a recipe file."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def describe(what: str) -> str:
    """The text of a shipped recipe, or the documentation and settings of a part or of a key of a recipe."""
    recipes = shipped_recipes()
    kinds = {f"{what}, one of the {room.package}": part_class(room, what) for room in ROOMS if what in part_names(room)}
    if what in _KEYS:
        kinds[f"{what}, in a recipe"] = _KEYS[what]
    texts = [f"{title}\n\n{inspect.getdoc(kind)}\n\nsettings\n{_settings(kind)}" for title, kind in kinds.items()]
    if what in recipes:
        texts.insert(0, recipes[what].read_text(encoding="utf-8").rstrip())
    if not texts:
        known = {*recipes, *_KEYS, *(name for room in ROOMS for name in part_names(room))}
        raise UsageError(f"There is no part, recipe or run folder {what!r}. {did_you_mean(what, known)}")
    return "\n\n\n".join(texts)


def _settings(kind: type) -> str:
    settings = settings_of(kind)
    width = max(map(len, settings), default=0) + 2
    lines = [f"  {name:{width}}{in_words(hint)} ({_shown(default)})" for name, (hint, default) in settings.items()]
    return "\n".join(lines) or "  none"


def _shown(default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if default is None or (isinstance(default, Collection) and not default and not isinstance(default, str)):
        return "none by default"
    if isinstance(default, bool | int | float | str | list | tuple):
        return f"{default!r} by default"
    return "with defaults of its own"


def in_words(hint: Any) -> str:
    """A type hint as a reader says it.

    >>> from annotated_types import Gt
    >>> in_words(Annotated[float, Gt(0)] | Literal["auto"])
    "a number > 0 or 'auto'"
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    room = room_of(hint)
    if room is not None:
        return f"one of the {room.package}"
    if origin is Annotated:
        return f"{in_words(arguments[0])} {' and '.join(_limits(arguments[1:]))}".rstrip()
    if origin in (Union, types.UnionType):
        arms = [in_words(arm) for arm in arguments if arm is not type(None)]
        return " or ".join(dict.fromkeys(arms))
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping of names to {in_words(arguments[1])}"
    if isinstance(origin, type):
        return f"a list, each {in_words(arguments[0])}"
    name = getattr(hint, "__name__", "anything")
    return KINDS.get(name.lower(), "any" if name == "Any" else f"settings ({name})")


def _limits(metadata: tuple[Any, ...]) -> list[str]:
    bounds = [limit for limit in metadata if isinstance(limit, Gt | Ge | Lt | Le)]
    return [f"{LIMITS[name]} {value:g}" for bound in bounds for name, value in dataclasses.asdict(bound).items()]
