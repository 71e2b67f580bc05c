"""Every tracker keeps the contract of its room: found by discovery."""

from __future__ import annotations

from pathlib import Path

import pytest
from house_tree import parts
from small_world import instances, named

from limbeck.core import UsageError
from limbeck.trackers import ALWAYS, Tracker

FOUND = [tracker for part in parts() if part.room.base is Tracker for tracker in instances(part.cls)]
EACH = pytest.mark.parametrize("tracker", FOUND, ids=named(FOUND))


def opened(tracker: Tracker, folder: Path, step: int) -> Tracker:
    try:
        tracker.open(folder, step)
    except UsageError as error:
        pytest.skip(str(error))  # its library is not installed
    return tracker


@EACH
def test_it_writes_below_the_folder_of_the_training_and_goes_on(tracker: Tracker, tmp_path: Path) -> None:
    folder = tmp_path / "students" / "row" / "0"
    for step in (0, 10):
        opened(tracker, folder, step).log({"epoch": 1, "loss": 0.5, "note": "a text"}, step + 10)
        tracker.close()
    assert [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    assert [path.name for path in tmp_path.iterdir()] == ["students"]


def test_those_of_every_run_exist() -> None:
    assert set(ALWAYS) <= {part.name for part in parts() if part.room.base is Tracker}
