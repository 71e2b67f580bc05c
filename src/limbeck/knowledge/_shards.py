"""The shard that is being written."""

from __future__ import annotations

import time
from collections.abc import Sequence

from torch import Tensor

from limbeck.knowledge._arrays import ArrayFile
from limbeck.knowledge._journal import Journal, Shard

__all__ = ["OpenShard"]

SHARD_BYTES = 64 << 20
SHARD_SECONDS = 10.0
"""A shard is closed when it is this large or took this long: what a crash can cost."""


class OpenShard:
    """The shard that is being written: batches go to the disk as they come, the journal hears of them at the end."""

    def __init__(self, journal: Journal, names: Sequence[str]):
        self.journal = journal
        self.rows: int = journal.plan["rows"]
        self.files = {name: ArrayFile(journal.folder, journal.layouts[name]) for name in names}
        self._begin(0, 0)

    def _begin(self, view: int, start: int) -> None:
        self.view, self.start, self.stop = view, start, start
        self.checksums = dict.fromkeys(self.files, 0)
        self.bytes, self.mass, self.begun = 0, 0.0, time.monotonic()

    def turn_to(self, view: int, start: int) -> None:
        """Go on at this row: in the same shard, or in a new one."""
        full = self.bytes >= SHARD_BYTES or time.monotonic() - self.begun >= SHARD_SECONDS
        if full or (view, start) != (self.view, self.stop):
            self.close()
            self._begin(view, start)

    def add(self, stop: int, arrays: dict[str, Tensor], mass: float) -> None:
        """Write the next rows, up to `stop`."""
        first = self.view * self.rows + self.stop
        for name, file in self.files.items():
            self.checksums[name] = file.write(first, arrays[name], self.checksums[name])
            self.bytes += arrays[name].nbytes
        self.stop, self.mass = stop, self.mass + mass

    def close(self) -> None:
        """Bring the rows to the disk, then record them."""
        if self.stop > self.start:
            for file in self.files.values():
                file.flush()
            seconds = time.monotonic() - self.begun
            self.journal.append(Shard(self.view, self.start, self.stop, self.checksums, seconds, self.mass))

    def release(self) -> None:
        for file in self.files.values():
            file.close()
