"""Rooms of parts: one file is one part, its name is the name in a recipe."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from limbeck.core import UsageError, did_you_mean

__all__ = ["ROOMS", "Room", "part_class", "part_names", "part_summary", "parts_of", "room_of"]


@dataclass(frozen=True)
class Room:
    """A room: its package, one part's noun, and the base class by which parts are known."""

    package: str
    noun: str
    base: str


ROOMS = (
    Room("data", "data part", "limbeck.data:Data"),
    Room("augmentations", "augmentation", "limbeck.augmentations:Augmentation"),
    Room("networks", "network", "torch.nn:Module"),
    Room("teachers", "teacher", "limbeck.teachers:Teacher"),
    Room("distances", "distance", "limbeck.distances:Distance"),
    Room("objectives", "objective", "limbeck.objectives:Objective"),
    Room("methods", "method", "limbeck.methods:Method"),
    Room("trackers", "tracker", "limbeck.trackers:Tracker"),
    Room("compression", "compression step", "limbeck.compression:Compression"),
    Room("export", "export format", "limbeck.export:Export"),
)


def _object(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def _bases() -> dict[type, Room]:
    return {_object(room.base): room for room in ROOMS}


def room_of(hint: Any) -> Room | None:
    """The room whose parts a type hint asks for, or None."""
    return _bases().get(hint) if isinstance(hint, type) else None


def part_names(room: Room) -> list[str]:
    """The parts of a room, found by file name."""
    package = importlib.import_module(f"limbeck.{room.package}")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


def part_class(room: Room, name: str) -> type:
    """The class of a part by its file's name, or of one elsewhere by its dotted path.

    A dotted path (`package.module:Class`) must lead to a class derived from the room's base; it
    is only called after that.
    """
    base = _object(room.base)
    if ":" in name:
        return _foreign(room, base, name)
    if name not in part_names(room):
        hint = did_you_mean(name, part_names(room))
        for other in ROOMS:
            if name in part_names(other):
                hint = f"It is one of the {other.package}. Known here: {', '.join(part_names(room))}."
        raise UsageError(f"There is no {room.noun} {name!r}. {hint}")
    module = importlib.import_module(f"limbeck.{room.package}.{name}")
    (public,) = module.__all__
    return getattr(module, public)


def _foreign(room: Room, base: type, path: str) -> type:
    if path.startswith("<"):
        raise UsageError(f"{path} was an object from Python, which a recipe cannot name: run this from Python again.")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    module, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # the user's own module, which may raise anything
        kind = "" if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: "
        raise UsageError(f"{path!r} cannot be imported: {kind}{error}. Write package.module:Class.") from error
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise UsageError(f"{path!r} must be a class derived from {room.base}, to serve as a {room.noun}.")
    return found


def parts_of(base: type) -> dict[str, Any]:
    """The classes of the room with this base, by name."""
    room = _bases()[base]
    return {name: part_class(room, name) for name in part_names(room)}


def part_summary(room: Room, name: str) -> str:
    """The first line of a part's docstring."""
    return (inspect.getdoc(part_class(room, name)) or "").partition("\n")[0]
