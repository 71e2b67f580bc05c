"""The journal of a store: its plan, then a line for each shard that lies whole on the disk."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from limbeck.core.files import write_text
from limbeck.knowledge._arrays import Layout, checksum_of

__all__ = ["JOURNAL", "LOCK", "Journal", "Shard", "exclusive"]

JOURNAL = "journal.jsonl"
LOCK = "lock"


@dataclass(frozen=True)
class Shard:
    """Rows `start` to `stop` of one view, in the arrays that `checksums` names. mass: held by their top k, summed."""

    view: int
    start: int
    stop: int
    checksums: Mapping[str, int]
    seconds: float = 0.0
    mass: float = 0.0

    def without(self, names: set[str]) -> Shard:
        return replace(self, checksums={name: value for name, value in self.checksums.items() if name not in names})


@dataclass
class Journal:
    """What is known of a store on its way: the plan {identity, rows, ...}, its arrays, shards and encodings."""

    folder: Path
    plan: dict[str, Any] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)
    encodings: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Journal:
        """The journal as far as it is whole: a line that was torn by a crash ends it."""
        journal = cls(folder)
        path = folder / JOURNAL
        for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
            entry = _entry(line)
            if entry is None:
                break
            journal._take(entry)
        return journal

    def rewrite(self) -> None:
        """The whole journal anew, at once: after its plan is made, and after something in it was lost."""
        for path in left_over(self.folder):
            path.unlink()
        entries = [{"plan": self.plan}] if self.plan else []
        entries += [{"array": {"name": name, **asdict(layout)}} for name, layout in self.layouts.items()]
        entries += [{"encoding": {"layer": layer, **about}} for layer, about in self.encodings.items()]
        entries += [{"shard": asdict(shard)} for shard in self.shards]
        write_text(self.folder / JOURNAL, "".join(json.dumps(entry) + "\n" for entry in entries))

    def append(self, shard: Shard) -> None:
        """Record a shard whose rows are on the disk."""
        line = json.dumps({"shard": asdict(shard)}) + "\n"
        handle = os.open(self.folder / JOURNAL, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        self.shards.append(shard)

    def _take(self, entry: dict[str, Any]) -> None:
        ((kind, about),) = entry.items()
        if kind == "plan":
            self.plan = about
        elif kind == "array":
            name = about.pop("name")
            self.layouts[name] = Layout(about["file"], about["dtype"], tuple(about["shape"]))
        elif kind == "encoding":
            self.encodings[about.pop("layer")] = about
        else:
            self.shards.append(Shard(**about))

    def checked(self) -> list[Shard]:
        """The shards with only those checksums that the disk bears out; shards without any are left out."""
        rows = self.plan.get("rows", 0)
        whole = [shard.without(damaged(self.folder, self.layouts, shard, rows)) for shard in self.shards]
        return [shard for shard in whole if shard.checksums]


def damaged(folder: Path, layouts: Mapping[str, Layout], shard: Shard, rows: int) -> set[str]:
    """The arrays whose rows of this shard are not on the disk as they were written."""
    first = shard.view * rows + shard.start
    return {
        name
        for name, expected in shard.checksums.items()
        if name not in layouts or checksum_of(folder, layouts[name], first, shard.stop - shard.start) != expected
    }


def left_over(folder: Path) -> list[Path]:
    """Files that a process was writing when it died."""
    names = (JOURNAL, "manifest.json", "rows.npy", "*@mean.npy", "*@components.npy")
    return [path for name in names for path in folder.glob(f".{name}.*")]


def _entry(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return entry


@contextlib.contextmanager
def exclusive(folder: Path, wait: bool = True) -> Iterator[None]:
    """One writer at a time, in this process and all others; `BlockingIOError` where it should not wait.

    The lock ends with the process that holds it, however that ends.
    """
    handle = _locked(folder, wait)
    try:
        yield
    finally:
        os.close(handle)


def _locked(folder: Path, wait: bool) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            raise
        path = folder / LOCK
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            return handle
        os.close(handle)  # the store was removed while we waited: lock the new one
