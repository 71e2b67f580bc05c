"""The log that every run has: one JSON object a line, in `log.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from limbeck.core.files import write_text, writing
from limbeck.trackers import Tracker

__all__ = ["Jsonl"]


class Jsonl(Tracker):
    """Writes `log.jsonl` beside the weights; each line has its step and is flushed at once.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> log = Jsonl(); log.open(folder, step=0); log.log({"loss": 0.5}, step=1); log.close()
    >>> (folder / "log.jsonl").read_text()
    '{"step": 1, "loss": 0.5}\\n'
    """

    name = "log.jsonl"

    def open(self, folder: Path, step: int) -> None:
        path = folder / self.name
        kept = [line for line in _whole_lines(path) if json.loads(line)["step"] <= step]
        write_text(path, "".join(kept))
        with writing(path):
            self._file: IO[str] = path.open("a", encoding="utf-8", buffering=1)

    def log(self, values: Mapping[str, float | int | str], step: int) -> None:
        with writing(self._file.name):
            self._file.write(json.dumps({"step": step, **values}) + "\n")

    def close(self) -> None:
        with writing(self._file.name):  # closing writes what could not be written before
            self._file.close()


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]  # a killed run may leave half a line
