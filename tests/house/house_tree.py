"""What the tests of the house look at: the files, the rooms that hold parts, and the parts, all by discovery."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import limbeck

__all__ = ["PACKAGE", "ROOT", "Part", "Room", "functions", "parse", "parts", "python_files", "rooms"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "limbeck"


@dataclass(frozen=True)
class Room:
    """A package of interchangeable parts, known by the file that holds their base: `distances/_distance.py`."""

    name: str
    base: type


@dataclass(frozen=True)
class Part:
    """One file of a room."""

    room: Room
    name: str

    @property
    def module(self) -> str:
        return f"limbeck.{self.room.name}.{self.name}"

    @property
    def cls(self) -> type:
        module = importlib.import_module(self.module)
        return getattr(module, module.__all__[0])


@cache
def rooms() -> list[Room]:
    found = []
    for info in pkgutil.iter_modules(limbeck.__path__):
        base = next(
            (stem for stem in (f"_{info.name}", f"_{info.name.removesuffix('s')}") if _holds(info.name, stem)), None
        )
        if info.ispkg and base:
            package = importlib.import_module(f"limbeck.{info.name}")
            found.append(Room(info.name, getattr(package, base.strip("_").title())))
    return found


def _holds(room: str, stem: str) -> bool:
    return (PACKAGE / room / f"{stem}.py").exists()


@cache
def parts() -> list[Part]:
    return [Part(room, name) for room in rooms() for name in _part_names(room)]


def _part_names(room: Room) -> list[str]:
    package = importlib.import_module(f"limbeck.{room.name}")
    return [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]


def python_files(*folders: str) -> list[Path]:
    """The Python files of these folders of the project, as far as they exist."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
