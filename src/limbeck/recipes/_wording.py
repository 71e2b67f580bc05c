"""What pydantic found, in the words of limbeck's one sentence for a bad value."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ValidationError

from limbeck.core import did_you_mean

__all__ = ["KINDS", "LIMITS", "expected", "got"]


LIMITS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "str": "a text",
    "list": "a list",
    "tuple": "a list",
    "sequence": "a list",
    "dict": "a mapping",
    "path": "a path",
    "none": "null",
    "nonetype": "null",
}
"""Types and pydantic's names of them, as a reader says them."""


def expected(error: ValidationError, hint: Any, value: Any) -> str:
    """What would have been right, in words."""
    phrases: list[str] = []
    for fault in error.errors():
        context = fault.get("ctx", {})
        limits = [f"{symbol} {context[key]:g}" for key, symbol in LIMITS.items() if key in context]
        if limits:
            phrases.append(" and ".join(limits))
        elif fault["type"] == "is_instance_of":
            phrases.append(KINDS.get(context["class"].lower(), f"a {context['class']}"))
        elif fault["type"] == "literal_error":
            phrases.append(_choices(hint, value))
        else:
            phrases.append(KINDS.get(fault["type"].partition("_")[0], fault["msg"].lower()))
    return " or ".join(dict.fromkeys(phrases))


def got(error: ValidationError, value: Any) -> str:
    """What came; of a list or mapping, the item that is wrong."""
    item, place = max((_inside(value, fault["loc"]) for fault in error.errors()), key=lambda found: len(found[1]))
    return f"Got {item!r}{place and f' at {place}'}."


def _inside(value: Any, location: tuple[int | str, ...]) -> tuple[Any, str]:
    """The item at pydantic's location, which names the arms of a union too, and its place in words."""
    place = ""
    for key in location:
        if (isinstance(value, list | tuple) and isinstance(key, int)) or (isinstance(value, Mapping) and key in value):
            value, place = value[key], f"{place}[{key!r}]"  # type: ignore[index]
    return value, place


def _choices(hint: Any, value: Any) -> str:
    """The texts that may stand here, and the one that was probably meant."""
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    literals = [arm for arm in (hint, *typing.get_args(hint)) if typing.get_origin(arm) is Literal]
    choices = [choice for literal in literals for choice in typing.get_args(literal)]
    meant = did_you_mean(str(value), map(str, choices))
    return " or ".join(map(repr, choices)) + (f" ({meant})" if meant.startswith("Did") else "")
