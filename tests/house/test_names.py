"""Names: files say what they hold, and those who conduct the work never name a part."""

from __future__ import annotations

import ast
import re

import pytest
from house_tree import PACKAGE, ROOT, parse, parts, python_files

EMPTY_WORDS = re.compile(r"(^|_)(utils?|commons?|helpers?|misc|v\d+)(_|$|\.)")

ORCHESTRATORS = ("training", "recipes", "search", "cli.py")

NOUNS = {"network", "prune"}
"""Part names that are also a room's word for one of its parts, which recipes say without meaning the part,
or a command's."""


def names_part(tree: ast.AST, names: set[str], modules: set[str]) -> list[str]:
    """String literals that equal a part's name, and imports of a part's module."""
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
            faults.append(f"{node.lineno}: {node.value!r}")
        if isinstance(node, ast.Import):
            faults += [f"{node.lineno}: import {alias.name}" for alias in node.names if alias.name in modules]
        if isinstance(node, ast.ImportFrom):
            imported = {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
            faults += [f"{node.lineno}: import {name}" for name in sorted(imported & modules)]
    return faults


def test_files_say_what_they_hold() -> None:
    folders = ("src", "tests", "benchmarks", "examples", "docs")
    paths = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".yaml")
    ]
    faults = [str(path.relative_to(ROOT)) for path in paths if EMPTY_WORDS.search(path.stem)]
    faults += [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*") if EMPTY_WORDS.search(path.name)]
    assert paths
    assert not faults, faults


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "distill_v2", "_utils", "test_helpers", "v3"])
def test_empty_words_are_flagged(name: str) -> None:
    assert EMPTY_WORDS.search(name)


@pytest.mark.parametrize("name", ["mmd", "resnet", "uncommon", "source_only", "_points"])
def test_words_that_say_something_are_not_flagged(name: str) -> None:
    assert not EMPTY_WORDS.search(name)


def test_orchestrators_name_no_part() -> None:
    names, modules = {part.name for part in parts()} - NOUNS, {part.module for part in parts()}
    paths = [path for path in python_files("src") if path.relative_to(PACKAGE).parts[0] in ORCHESTRATORS]
    assert names and paths
    faults = [
        f"{path.relative_to(ROOT)}:{fault}" for path in paths for fault in names_part(parse(path), names, modules)
    ]
    assert not faults, "\n".join(faults)


def test_every_noun_is_also_a_part() -> None:
    assert {part.name for part in parts()} >= NOUNS


def test_a_room_does_not_name_its_parts() -> None:
    """`__init__` of a room imports its base and helpers: a new part is one file and no other edit."""
    modules = {part.module for part in parts()}
    faults = []
    for room in sorted({part.room.name for part in parts()}):
        tree = parse(PACKAGE / room / "__init__.py")
        faults += [f"{room}/__init__.py:{fault}" for fault in names_part(tree, set(), modules)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "text",
    [
        "x = 'mmd'",
        "parts = {'mmd': 1}",
        "import limbeck.distances.mmd",
        "from limbeck.distances import mmd",
        "from limbeck.distances.mmd import Mmd",
    ],
)
def test_a_named_part_is_flagged(text: str) -> None:
    assert names_part(ast.parse(text), {"mmd"}, {"limbeck.distances.mmd"})


@pytest.mark.parametrize("text", ["x = 'use mmd, for example'", "from limbeck.distances import Distance", "import csv"])
def test_a_sentence_is_not_flagged(text: str) -> None:
    assert not names_part(ast.parse(text), {"mmd", "csv"}, {"limbeck.distances.mmd", "limbeck.data.csv"})
