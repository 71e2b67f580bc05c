"""Files that are whole or absent: write beside, flush to disk, rename."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limbeck.core.errors import RunError

__all__ = ["atomic_folder", "atomic_path", "read_json", "sweep", "write_json", "write_text", "writing"]

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}(?:\.[^.]+)?")
"""As `tempfile` names what `atomic_path` and `atomic_folder` write."""

_MENDS = {
    errno.ENOSPC: "The disk is full: free some space and start the same command again, it goes on from here.",
    errno.EDQUOT: "The disk quota is used up: free some space and start the same command again.",
    errno.EROFS: "The disk is read-only: name another folder with --runs.",
    errno.EACCES: "There is no permission to write there: name another folder with --runs.",
    errno.EPERM: "There is no permission to write there: name another folder with --runs.",
    errno.ENOTDIR: "A part of the path is a file: name another folder with --runs.",
    errno.EEXIST: "A part of the path is a file: name another folder with --runs.",
}


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Errors of the disk inside the block become a `RunError` with the mend: full, read-only, closed to the user."""
    try:
        yield
    except OSError as error:
        mend = _MENDS.get(error.errno or 0)
        if mend is None:
            raise
        raise RunError(f"Cannot write {path}: {error.strerror}. {mend}") from error


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it when the block ends well and removed otherwise.

    Raises `RunError` with the mend when the disk is full, read-only or closed to the user.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            _flush(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            _flush(path.parent)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside `path`, which takes its place when the block ends well and is removed otherwise.

    What lay at `path` before is there until then, and gone afterwards. Raises `RunError` as `atomic_path`.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    made, before = scratch / "made", scratch / "before"
    try:
        with writing(path):
            made.mkdir()
            yield made
            for file in made.rglob("*"):
                _flush(file)
            if path.exists():
                path.replace(before)
            made.replace(path)
            _flush(path.parent)
    finally:
        shutil.rmtree(scratch)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left beside their files, anywhere below; nobody else may be writing."""
    for path in list(folder.rglob(".*")):
        found = _TEMPORARY.fullmatch(path.name)
        if found is None:
            continue
        if not path.is_dir():
            path.unlink(missing_ok=True)
            continue
        whole = path.parent / found["name"]
        if (path / "before").exists() and not whole.exists():  # killed between the two moves of `atomic_folder`
            (path / "made").replace(whole)
        shutil.rmtree(path, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, whole or not at all; NaN and infinities are refused."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; `RunError` names the file when it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged: {error}. Remove it and start the same command again.") from error
