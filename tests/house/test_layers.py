"""Rooms import downwards, and parts do not know each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house_tree import PACKAGE, ROOT, parts, rooms

pytestmark = pytest.mark.extra("lint")


def contracts(source: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's verdict on the package that lies in `source`, with the project's contracts."""
    command = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
    )


def tangled(graph, siblings: list[set[str]]) -> list[str]:
    """Imports, indirect ones too, between the parts of a room."""
    faults = []
    for modules in siblings:
        found = graph.find_illegal_dependencies_for_layers(layers=(modules,))
        faults += [f"{dependency.importer} imports {dependency.imported}" for dependency in found]
    return sorted(faults)


def room_siblings() -> list[set[str]]:
    return [{part.module for part in parts() if part.room == room} for room in rooms()]


def test_the_contracts_are_kept() -> None:
    result = contracts(ROOT / "src")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("core/planted.py", "import limbeck.distances", "rooms below it"),
        ("teachers/planted.py", "import limbeck.methods", "rooms below it"),
        ("reports/planted.py", "import limbeck.networks", "no other room"),
        ("methods/planted.py", "import lightning_fabric", "in training alone"),
        ("attic/__init__.py", "", "rooms below it"),
    ],
)
def test_an_import_upwards_is_flagged(file: str, line: str, broken: str, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "limbeck", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "limbeck" / file).parent.mkdir(exist_ok=True)
    (tmp_path / "limbeck" / file).write_text(line + "\n")
    result = contracts(tmp_path)
    assert result.returncode == 1
    assert any(broken in text and "BROKEN" in text for text in result.stdout.splitlines()), result.stdout


def test_parts_of_a_room_do_not_import_each_other() -> None:
    import grimp

    graph = grimp.build_graph("limbeck", cache_dir=None)
    assert graph.count_imports() > 0
    assert not tangled(graph, room_siblings())


def test_parts_that_know_each_other_are_flagged() -> None:
    import grimp

    graph = grimp.build_graph("limbeck", cache_dir=None)
    room = next(modules for modules in room_siblings() if len(modules) > 1)
    first, second, *_ = sorted(room)
    graph.add_import(importer=first, imported=second)
    assert tangled(graph, room_siblings()) == [f"{first} imports {second}"]
