"""The run folder has one owner and one writer, and the disk may fail."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from limbeck.core import RunError, UsageError
from limbeck.core.files import read_json
from limbeck.recipes._folder import check_owner, claim, command_line, locked, run_folders

Recipe = dict[str, Any]
Run = Callable[..., Path]


def test_two_writers_exclude_each_other(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "small"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match=r"Another limbeck is at work in .*small"):
            run(recipe)
        assert [path.name for path in folder.iterdir()] == [".lock"]
    assert run(recipe, stages=["gap"]) == folder


def test_the_lock_ends_with_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path):
            raise ZeroDivisionError


def test_a_folder_that_cannot_be_made_is_told(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match=r"Cannot work with .*runs.*--runs"):
        run(recipe)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_is_closed_is_told(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o500)
    with pytest.raises(RunError, match=r"Cannot work with .*runs"):
        run(recipe)


@pytest.mark.parametrize(
    "at", ["recipe.yaml", "domains.json", "weights.safetensors", "manifest.json", "openings.jsonl"]
)
def test_a_full_disk_leaves_nothing_half_written(
    recipe: Recipe, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """The file at which the disk is full is absent, and the next start goes on to the same end."""
    stages, folder = ["teacher", "knowledge", "student"], tmp_path / "runs" / "small"
    replace = Path.replace

    def full(path: Path, target: Path) -> Any:
        if Path(target).name == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunError, match=r"(?s)Cannot write .*The disk is full: free some space"):
        run(recipe, stages=stages)
    monkeypatch.undo()
    assert not [*folder.rglob(at), *folder.rglob(f".{at}.*")]
    run(recipe, stages=stages)
    assert list(folder.rglob(at))


def test_a_damaged_recipe_is_told(recipe: Recipe, run: Run) -> None:
    folder = run(recipe, stages=["gap"])
    (folder / "recipe.yaml").write_text("a: [")
    with pytest.raises(RunError, match=r"recipe\.yaml is damaged.*(?s:.*)--fresh"):
        run(recipe, stages=["gap"])


def test_a_recipe_keeps_its_differences_short(tmp_path: Path) -> None:
    claim(tmp_path, {f"key{i}": i for i in range(20)})
    check_owner(tmp_path, {f"key{i}": i for i in range(20)})
    with pytest.raises(UsageError, match=r"(?s)key0: 0 there, 1 here.*and 12 more"):
        check_owner(tmp_path, {f"key{i}": i + 1 for i in range(20)})
    environment = read_json(tmp_path / "environment.json")
    assert environment["versions"]["torch"] and environment["processor"]


@pytest.mark.parametrize(
    ("program", "shown"),
    [("/x/bin/limbeck", "limbeck"), ("/x/limbeck/__main__.py", "limbeck"), ("my run.py", "'my run.py'")],
)
def test_the_command_is_as_a_user_types_it(monkeypatch: pytest.MonkeyPatch, program: str, shown: str) -> None:
    monkeypatch.setattr(sys, "argv", [program, "run", "my file.yaml"])
    assert command_line() == f"{shown} run 'my file.yaml'"


def test_run_folders_are_found(tmp_path: Path) -> None:
    assert run_folders(tmp_path) == []
    for cell in ("b", "a"):
        claim(tmp_path / cell, {})
    (tmp_path / "c").mkdir()
    assert run_folders(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert run_folders(tmp_path / "a") == [tmp_path / "a"]
