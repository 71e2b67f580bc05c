"""Changes to a recipe's text before it is read: `--set a.b=c`, and the cells of a matrix."""

from __future__ import annotations

from typing import Any

import yaml

from limbeck.core import UsageError
from limbeck.recipes._yaml import read_yaml

__all__ = ["look", "override", "put"]


def override(content: dict[str, Any], text: str) -> None:
    """Carry out one `a.b=c`, with c in YAML; `UsageError` where it cannot be read, or there is no such place.

    >>> content = {"student": "mlp", "seeds": 3}
    >>> override(content, "student.mlp.hidden=[8]"); override(content, "seeds=1"); content
    {'student': {'mlp': {'hidden': [8]}}, 'seeds': 1}
    """
    dotted, equals, written = text.partition("=")
    dotted = dotted.strip()
    if not equals or not dotted:
        raise UsageError(f"--set needs a.b=c, such as training.epochs=10. Got {text!r}.")
    if dotted.partition(".")[0] == "matrix":
        raise UsageError(f"--set changes what every cell of the matrix has, not the matrix. Got {text!r}.")
    try:
        value = read_yaml(written, "the value")
    except yaml.YAMLError as error:
        raise UsageError(f"--set {dotted}: {written!r} is not YAML: {error}") from error
    put(content, dotted, value)


def put(content: dict[str, Any], dotted: str, value: Any) -> None:
    """Change the value at a dotted place: numbers count in lists, a part's bare name becomes a mapping on the way."""
    keys = dotted.split(".")
    _put(content, ["teachers", *keys] if keys[0] == "teacher" else keys, value, dotted)


def look(content: Any, dotted: str) -> Any:
    """The value at a dotted place, as `put` finds it; `UsageError` where there is none.

    >>> look({"rows": {"a": [{"kl": {"temperature": 2.0}}]}}, "rows.a.0.kl.temperature")
    2.0
    """
    keys, place = dotted.split("."), content
    keys = ["teachers", *keys] if keys[0] == "teacher" else keys
    while keys:
        if isinstance(place, list):
            place, keys = place[_index(place, keys[0], dotted)], keys[1:]
            continue
        count = next((n for n in range(len(keys), 0, -1) if isinstance(place, dict) and ".".join(keys[:n]) in place), 0)
        if not count:
            raise UsageError(f"The recipe has no {dotted!r}: there is nothing at {keys[0]!r}.")
        place, keys = place[".".join(keys[:count])], keys[count:]
    return place


def _put(place: Any, keys: list[str], value: Any, dotted: str) -> None:
    if isinstance(place, list):
        key: Any = _index(place, keys[0], dotted)
        rest = keys[1:]
    else:  # a key that is there may itself have dots, such as package.module:Class
        count = next((n for n in range(len(keys), 1, -1) if ".".join(keys[:n]) in place), 1)
        key, rest = ".".join(keys[:count]), keys[count:]
    if not rest:
        place[key] = value
        return
    below = place[key] if isinstance(place, list) else place.get(key)
    if isinstance(below, str):
        below = {below: {}}
    place[key] = below if isinstance(below, dict | list) else {}
    _put(place[key], rest, value, dotted)


def _index(items: list[Any], key: str, dotted: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise UsageError(f"In {dotted!r}, {key!r} must be a number below {len(items)}: there is a list at that place.")
    return int(key)
