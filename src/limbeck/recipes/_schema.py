"""Text against signatures: the signature is the schema, and all faults are told at once."""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union

from annotated_types import MinLen
from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

from limbeck.core import Inline, UsageError, did_you_mean
from limbeck.recipes._nodes import FaultyNode, ListNode, MapNode, Node, ObjectNode, ValueNode
from limbeck.recipes._rooms import Room, part_class, part_names, room_of
from limbeck.recipes._wording import expected, got

__all__ = ["Faults", "parse", "settings_of"]


class Faults(list[str]):
    """What is wrong with a recipe, each with its place."""

    def add(self, path: str, sentence: object) -> Node:
        """Keep a fault; the node stands in for what could not be read."""
        self.append(f"{path}: {sentence}" if path else str(sentence))
        return FaultyNode()

    def raise_any(self, owner: str) -> None:
        """One error for all of them."""
        if self:
            count = "1 error" if len(self) == 1 else f"{len(self)} errors"
            raise UsageError(f"{count} in {owner}:\n" + "\n".join(f"  - {fault}" for fault in self))


def parse(hint: Any, value: Any, path: str, owner: str, faults: Faults) -> Node:
    """Read `value` as what `hint` asks for. path: the place in the recipe; owner: whose setting it is."""
    bare = _bare(hint)
    room = room_of(bare)
    if room is not None:
        return _part(room, bare, value, path, faults)
    if typing.get_origin(bare) in (Union, types.UnionType):
        return _union(hint, value, path, owner, faults)
    if _is_settings(bare):
        return _settings(bare, value, path, owner, faults)
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin in (list, tuple, Sequence) and _is_rich(arguments[0]):
        if not isinstance(value, list | tuple):
            value = [value]
        nodes = [parse(arguments[0], item, f"{path}[{i}]", owner, faults) for i, item in enumerate(value)]
        return ListNode(tuple(nodes))
    if origin in (dict, Mapping) and _is_rich(arguments[1]):
        if not isinstance(value, Mapping):
            return faults.add(path, f"A mapping of names is expected here. Got {value!r}.")
        if not value and any(isinstance(limit, MinLen) for limit in typing.get_args(hint)):
            return faults.add(path, f"{owner} needs at least one of its {path}.")
        return MapNode({str(k): parse(arguments[1], v, f"{path}.{k}", owner, faults) for k, v in value.items()})
    return _plain(hint, value, path, owner, faults)


def _bare(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def _is_settings(hint: Any) -> bool:
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or _inline_of(hint) is not None)


def _is_rich(hint: Any) -> bool:
    """Whether parts or settings stand below this hint, so that pydantic alone cannot read it."""
    bare = _bare(hint)
    return room_of(bare) is not None or _is_settings(bare) or any(map(_is_rich, typing.get_args(bare)))


def _inline_of(kind: type) -> str | None:
    if kind.__module__.partition(".")[0] != "limbeck":
        return None
    hints = _hints(kind)
    return next(
        (name for name, hint in hints.items() if any(isinstance(a, Inline) for a in typing.get_args(hint))), None
    )


def _hints(kind: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(kind.__init__, include_extras=True)  # type: ignore[misc]
    except NameError:  # a class of the user's, with names that only its type checker sees
        return {}
    return {name: hint for name, hint in hints.items() if name != "return"}


def _part(room: Room, base: type, value: Any, path: str, faults: Faults) -> Node:
    if isinstance(value, base):
        return ValueNode(value)
    if isinstance(value, type) and issubclass(value, base):
        return _object(value, {}, f"{value.__module__}:{value.__name__}", path, faults)
    if isinstance(value, str):
        value = {value: {}}
    if not (isinstance(value, Mapping) and len(value) == 1):
        return faults.add(path, f"One {room.noun} is expected: its name, or {{name: {{settings}}}}. Got {value!r}.")
    ((name, settings),) = value.items()
    try:
        kind = part_class(room, str(name))
    except UsageError as error:
        return faults.add(path, error)
    return _object(kind, settings, str(name), f"{path}.{name}", faults)


def _object(kind: type, settings: Any, name: str, path: str, faults: Faults) -> Node:
    nodes = _arguments(kind, settings, name, path, faults)
    return ObjectNode(kind, nodes, path, name)


def _settings(kind: type, value: Any, path: str, owner: str, faults: Faults) -> Node:
    if isinstance(value, kind):
        return ValueNode(value)
    inline = _inline_of(kind)
    if inline is None:
        name = path.rpartition(".")[2] or owner
        return ObjectNode(kind, _arguments(kind, value, name, path, faults), path)
    base = _bare(_hints(kind)[inline])
    room = room_of(base)
    noun = room.noun if room else inline
    if isinstance(value, str | base) or (isinstance(value, type) and issubclass(value, base)):
        value = {inline: value}
    if not isinstance(value, Mapping):
        return faults.add(path, f"One {noun} is expected here, by its name or with settings. Got {value!r}.")
    parts, rest = _inline_and_rest(kind, inline, value, path, faults)
    if len(parts) != 1:
        known = ", ".join(sorted(inspect.signature(kind).parameters.keys() - {inline}))
        came = ", ".join(map(str, parts)) or "none"
        return faults.add(path, f"Exactly one {noun} is expected here, beside {known}. Got {came}.")
    node = parse(base, parts.get(inline, parts), path, owner, faults)
    others = _arguments(kind, rest, noun, path, faults, skip=inline)
    return ObjectNode(kind, {inline: node, **others}, path, inline=inline)


def _inline_and_rest(
    kind: type, inline: str, value: Mapping[Any, Any], path: str, faults: Faults
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """What may be the inline part, and the other settings; a key that is neither is told and left out."""
    own, room = inspect.signature(kind).parameters, room_of(_bare(_hints(kind)[inline]))
    parts = {key: item for key, item in value.items() if key not in own or key == inline}
    rest = {key: item for key, item in value.items() if key not in parts}
    known = {inline, *(part_names(room) if room else ())}
    strays = [key for key in parts if key not in known and ":" not in str(key)]
    if strays and len(parts) - len(strays) == 1:
        for key in strays:
            faults.add(path, f"There is no setting {key!r} here. {did_you_mean(str(key), own.keys() - {inline})}")
            del parts[key]
    return parts, rest


def _arguments(
    kind: type, settings: Any, name: str, path: str, faults: Faults, skip: str | None = None
) -> dict[str, Node]:
    settings = {} if settings is None else settings
    parameters = {key: both for key, both in settings_of(kind).items() if key != skip}
    if not isinstance(settings, Mapping):
        fault = faults.add(path, f"The settings of {name} must be a mapping. Got {settings!r}.")
        return dict.fromkeys(parameters, fault)
    for key in settings:
        if key not in parameters:
            hint = _home(str(key), parameters) or did_you_mean(str(key), parameters)
            faults.add(path, f"{name} has no setting {key!r}. {hint}")
    nodes: dict[str, Node] = {}
    for key, (hint, default) in parameters.items():
        if key in settings:
            nodes[key] = parse(hint, settings[key], f"{path}.{key}" if path else key, name, faults)
        elif default is inspect.Parameter.empty:
            nodes[key] = faults.add(path, f"{name} needs {key!r}.")
        else:
            nodes[key] = ValueNode(default)
    return nodes


def _home(key: str, parameters: Mapping[str, tuple[Any, Any]]) -> str:
    """Where a misplaced key belongs, one level below; nothing where it belongs nowhere."""
    for name, (hint, _) in parameters.items():
        if dataclasses.is_dataclass(hint) and key in settings_of(hint):  # type: ignore[arg-type]
            return f"Write it under {name!r}."
    return ""


def settings_of(kind: type) -> dict[str, tuple[Any, Any]]:
    """The hint and the default of each setting, `inspect.Parameter.empty` for one that is required."""
    hints = _hints(kind)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [p for p in inspect.signature(kind).parameters.values() if p.kind not in variadic]
    defaults = {parameter.name: parameter.default for parameter in parameters}
    if dataclasses.is_dataclass(kind):
        made = {f.name: f.default_factory for f in dataclasses.fields(kind)}
        defaults |= {name: factory() for name, factory in made.items() if factory is not dataclasses.MISSING}
    return {parameter.name: (hints.get(parameter.name, Any), defaults[parameter.name]) for parameter in parameters}


def _union(hint: Any, value: Any, path: str, owner: str, faults: Faults) -> Node:
    arms = typing.get_args(_bare(hint))
    if value is None and type(None) in arms:
        return ValueNode(None)
    rich = [arm for arm in arms if _is_rich(arm)]
    plain = [arm for arm in arms if not _is_rich(arm)]
    if not rich:
        return _plain(hint, value, path, owner, faults)
    plain_faults = Faults()
    node = _plain(Union[tuple(plain)], value, path, owner, plain_faults) if plain else None  # noqa: UP007 - runtime
    if node is not None and not plain_faults and not isinstance(value, Mapping):
        return node
    given = any(isinstance(arm, type) and isinstance(value, arm) for arm in rich)
    if given or isinstance(value, Mapping | list | tuple) or plain in ([], [type(None)]):
        return parse(rich[0], value, path, owner, faults)
    faults.extend(plain_faults)
    return FaultyNode()


def _plain(hint: Any, value: Any, path: str, owner: str, faults: Faults) -> Node:
    if hint is inspect.Parameter.empty or hint is Any:
        return ValueNode(value)
    if _is_no_number(value, _kinds(hint)):
        key = path.rpartition(".")[2]
        return faults.add(path, f"The {key!r} of {owner} must be a finite number. Got {value!r}.")
    try:
        if isinstance(value, str) and _wants_path(hint):
            value = _expanded(value, path)
        read = _adapter(hint).validate_python(value)
        return ValueNode(read)
    except ValidationError as error:
        key = path.rpartition(".")[2]
        return faults.add(path, f"The {key!r} of {owner} must be {expected(error, hint, value)}. {got(error, value)}")
    except UsageError as error:
        return faults.add(path, error)


def _kinds(hint: Any) -> set[Any]:
    """What may stand there, without limits."""
    bare = _bare(hint)
    if typing.get_origin(bare) in (Union, types.UnionType):
        return set().union(*map(_kinds, typing.get_args(bare)))
    return {bare}


def _is_no_number(value: Any, kinds: set[Any]) -> bool:
    """A truth value or infinity where a number is meant, which pydantic would take for one."""
    if isinstance(value, bool):
        return bool(kinds & {int, float}) and not kinds & {bool, Any}
    return isinstance(value, float) and not math.isfinite(value) and float in kinds


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True))
    except (PydanticUserError, PydanticSchemaGenerationError):
        return TypeAdapter(hint)


def _wants_path(hint: Any) -> bool:
    bare = _bare(hint)
    return bare is Path or any(map(_wants_path, typing.get_args(bare)))


def _expanded(text: str, path: str) -> str:
    expanded = os.path.expanduser(os.path.expandvars(text))
    unset = re.search(r"\$\{?(\w+)", expanded)
    if unset:
        raise UsageError(f"{text!r} needs the environment variable {unset[1]}, which is not set.")
    return expanded
