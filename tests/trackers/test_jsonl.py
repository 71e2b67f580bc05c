"""The log that every run has: whole lines, no doubles after a kill."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from limbeck.core import RunError
from limbeck.trackers.jsonl import Jsonl


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_line_is_on_disk_as_soon_as_it_is_logged(tmp_path: Path) -> None:
    log = Jsonl()
    log.open(tmp_path / "new", 0)
    log.log({"loss": 0.5, "epoch": 1}, step=7)
    assert lines(tmp_path / "new") == [{"step": 7, "loss": 0.5, "epoch": 1}]
    log.close()


def test_going_on_drops_what_came_after_and_half_lines(tmp_path: Path) -> None:
    first = Jsonl()
    first.open(tmp_path, 0)
    for step in (10, 20, 30):
        first.log({"loss": step / 10}, step)
    first.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    again = Jsonl()
    again.open(tmp_path, 20)
    again.log({"loss": 9.0}, 30)
    again.close()
    assert lines(tmp_path) == [{"step": 10, "loss": 1.0}, {"step": 20, "loss": 2.0}, {"step": 30, "loss": 9.0}]


def test_beginning_anew_drops_all(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        log = Jsonl()
        log.open(tmp_path, 0)
        log.log({"loss": value}, 10)
        log.close()
    assert lines(tmp_path) == [{"step": 10, "loss": 2.0}]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is the full disk of Linux")
def test_a_full_disk_is_told_with_the_mend(tmp_path: Path) -> None:
    log = Jsonl()
    log.open(tmp_path, 0)
    with Path("/dev/full").open("w", buffering=1) as log._file, pytest.raises(RunError, match="disk is full"):
        try:
            log.log({"loss": 1.0}, 1)
        finally:
            with pytest.raises(RunError, match="disk is full"):
                log.close()
