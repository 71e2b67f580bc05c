"""The stores that lie in a folder: found, described, removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limbeck.core import UsageError
from limbeck.core.files import read_json, writing
from limbeck.knowledge._journal import JOURNAL, LOCK, Journal, exclusive, left_over
from limbeck.knowledge._store import MANIFEST, ROWS

__all__ = ["describe_store", "find_stores", "prune_store"]


def find_stores(root: Path) -> list[Path]:
    """The folders of all stores below `root`, finished or not, by name."""
    return sorted({path.parent for path in Path(root).rglob(JOURNAL) if Journal.read(path.parent).plan})


def describe_store(folder: Path) -> dict[str, Any]:
    """What a store is: identity, arrays, rows and views, bytes on disk, seconds, mass and variance kept.

    `labelled` is the share of its rows that are there. `UsageError` where the folder is no store.
    """
    folder = Path(folder)
    journal = _journal_of(folder)
    complete = (folder / MANIFEST).is_file()
    about = read_json(folder / MANIFEST) if complete else {}
    arrays = {name: [layout.dtype, *layout.shape] for name, layout in journal.layouts.items()}
    batches = {(shard.view, shard.start): shard.stop - shard.start for shard in journal.shards}
    return {
        "folder": str(folder),
        "complete": complete,
        **journal.plan,
        "arrays": {name: arrays[name] for name in about.get("arrays", arrays)},
        "labelled": 1.0 if complete else sum(batches.values()) / (journal.plan["rows"] * journal.plan["views"]),
        "mass": about.get("mass"),
        "variance": about.get("variance", {}),
        "seconds": about.get("seconds"),
        "bytes": sum(path.stat().st_size for path in _own_files(folder, journal)),
    }


def prune_store(folder: Path) -> int:
    """Remove a store; the bytes that this frees. Files of others in its folder stay.

    `UsageError` where the folder is no store, or is being written.
    """
    folder = Path(folder)
    journal = _journal_of(folder)
    try:
        with writing(folder), exclusive(folder, wait=False):
            files = _own_files(folder, journal)
            freed = sum(path.stat().st_size for path in files)
            for path in files:  # the journal is the last: what it names can be removed by a second call
                path.unlink()
            (folder / LOCK).unlink()
    except BlockingIOError as error:
        raise UsageError(f"The store {folder} is being written. Stop that run first, or wait for it.") from error
    if not any(folder.iterdir()):
        folder.rmdir()
    return freed


def _journal_of(folder: Path) -> Journal:
    journal = Journal.read(folder)
    if not journal.plan:
        raise UsageError(f"{folder} is not a store of knowledge: it has no {JOURNAL} of one.")
    return journal


def _own_files(folder: Path, journal: Journal) -> list[Path]:
    names = [MANIFEST, ROWS, *(layout.file for layout in journal.layouts.values())]
    names += [about[key] for about in journal.encodings.values() for key in ("mean", "components")]
    return [*left_over(folder), *(folder / name for name in names if (folder / name).is_file()), folder / JOURNAL]
