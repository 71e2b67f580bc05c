"""A validated recipe as a tree: it can be made into objects as often as needed, and written back as text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from torch import nn

from limbeck.core import UsageError
from limbeck.core.weights import fingerprint

__all__ = ["FaultyNode", "KnownFaultError", "ListNode", "MapNode", "Node", "ObjectNode", "ValueNode"]


class KnownFaultError(UsageError):
    """Something cannot be made because of a fault that has been told."""


class Node(ABC):
    """A place in a recipe."""

    @abstractmethod
    def make(self) -> Any:
        """New objects, at each call."""

    @abstractmethod
    def dump(self) -> Any:
        """The same as plain YAML values, defaults written out."""


@dataclass(frozen=True)
class ValueNode(Node):
    """A plain value, or an object given from Python."""

    value: Any

    def make(self) -> Any:
        return self.value

    def dump(self) -> Any:
        return _plain(self.value)


@dataclass(frozen=True)
class FaultyNode(Node):
    """Stands where the recipe could not be read, so that the faults elsewhere can still be found."""

    def make(self) -> Any:
        raise KnownFaultError("The recipe could not be read here.")

    def dump(self) -> Any:
        return None


@dataclass(frozen=True)
class ListNode(Node):
    """A list."""

    items: tuple[Node, ...]

    def make(self) -> list[Any]:
        return [item.make() for item in self.items]

    def dump(self) -> list[Any]:
        return [item.dump() for item in self.items]


@dataclass(frozen=True)
class MapNode(Node):
    """A mapping with free keys, such as the rows."""

    items: dict[str, Node]

    def make(self) -> dict[str, Any]:
        return {key: item.make() for key, item in self.items.items()}

    def dump(self) -> dict[str, Any]:
        return {key: item.dump() for key, item in self.items.items()}


@dataclass(frozen=True)
class ObjectNode(Node):
    """Something built from a signature.

    name: the part's name in the recipe, None for settings whose class the place implies. inline:
    the parameter whose part stands beside the other keys (see `core.Inline`).
    """

    kind: type
    settings: dict[str, Node]
    path: str
    name: str | None = None
    inline: str | None = None

    def make(self) -> Any:
        settings = {key: node.make() for key, node in self.settings.items()}
        try:
            return self.kind(**settings)
        except UsageError as error:
            raise UsageError(f"{self.path}: {error}") from error
        except Exception as error:
            if not self.foreign:
                raise
            kind = type(error).__name__  # the user's own code, which may raise anything
            raise UsageError(f"{self.path}: {self.name} cannot be made with these settings: {kind}: {error}") from error

    @property
    def foreign(self) -> bool:
        """Whether the class is not limbeck's, but named by a dotted path."""
        return self.name is not None and ":" in self.name

    def dump(self) -> Any:
        settings = {key: node.dump() for key, node in self.settings.items() if key != self.inline}
        if self.name is not None:
            return {self.name: settings}
        if self.inline is not None:
            part = self.settings[self.inline].dump()
            return {**(part if isinstance(part, dict) else {self.inline: part}), **settings}
        return settings


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    kind = f"{type(value).__module__}:{type(value).__qualname__}"
    if isinstance(value, nn.Module):  # another architecture of the same class makes another run
        return f"<{kind} {fingerprint(str(value))[:8]}>"
    return f"<{kind}>"
