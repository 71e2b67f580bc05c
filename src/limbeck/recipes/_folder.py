"""The run folder: whose it is, what it was made with, and that only one writer is in it."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import importlib.metadata
import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from limbeck.core import RunError, UsageError
from limbeck.core.files import sweep, write_json, write_text
from limbeck.recipes._yaml import read_yaml, write_yaml

__all__ = ["check_owner", "claim", "clear", "command_line", "disk_faults", "is_ranking", "locked", "run_folders"]

_LIBRARIES = ("limbeck", "torch", "lightning-fabric", "numpy", "pandas", "scikit-learn", "scipy", "POT", "torchvision")


_OWN_FILES = (
    "recipe.yaml",
    "environment.json",
    "domains.json",
    "preprocessing.json",
    "openings.jsonl",
    "gap.json",
    "score.json",
    "results.json",
    "embedding.json",
    "search.json",
    "report.html",
)
_OWN_FOLDERS = ("teachers", "knowledge", "contest", "students", "search", "export")


def is_ranking(folder: Path) -> bool:
    """Whether a folder is what `limbeck rank` wrote."""
    return (folder / "rank.json").is_file()


def run_folders(path: Path) -> list[Path]:
    """The run folders at a path: itself, or the cells of a matrix below it; none where it is neither.

    Errors: `UsageError` for the folder of a ranking, whose candidates are no matrix.
    """
    if is_ranking(path):
        some = next((found.parent for found in sorted(path.glob("*/recipe.yaml"))), path / "…")
        raise UsageError(
            f"{path} holds a ranking, which `limbeck show {path}` prints. Name the folder of one of its candidates, "
            f"such as {some}."
        )
    if (path / "recipe.yaml").is_file():
        return [path]
    return sorted(found.parent for found in path.glob("*/recipe.yaml"))


@contextlib.contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """What the system says of the disk, as a `RunError`."""
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        raise RunError(
            f"Cannot work with {place}: {error.strerror or error}. Mend it and start the same command again, or name "
            "another folder with --runs."
        ) from error


def clear(folder: Path) -> None:
    """Remove a run's own files; anything else in the folder stays."""
    for name in _OWN_FOLDERS:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for name in _OWN_FILES:
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder, without what a killed process left there; `UsageError` when another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"Another limbeck is at work in {folder}. Wait for it, or choose another name.") from error
        sweep(folder)
        yield


def check_owner(folder: Path, resolved: Mapping[str, Any]) -> None:
    """`UsageError` with the differences where the folder belongs to another recipe."""
    path = folder / "recipe.yaml"
    if not path.exists():
        return
    known, ours = _known(path), read_yaml(write_yaml(resolved), "recipe")
    known["choices"] = {**(known.get("choices") or {}), **(ours.get("choices") or {})}  # those of the run are its own
    own = {key: known[key] for key in ("choices", "search") if key in known}  # a search looks into its own folder
    differences = _differences(known, {**ours, "search": None, **own})
    if differences:
        shown = "\n".join(f"  - {line}" for line in differences[:8])
        shown += f"\n  … and {len(differences) - 8} more" if len(differences) > 8 else ""
        raise UsageError(
            f"{folder} belongs to another recipe:\n{shown}\n"
            "Choose another name, or start anew: --fresh, in Python fresh=True."
        )


def claim(folder: Path, resolved: Mapping[str, Any]) -> None:
    """Make the folder this recipe's, where it is not yet: recipe.yaml and environment.json."""
    if not (folder / "recipe.yaml").exists():
        write_json(folder / "environment.json", _environment())
        write_text(folder / "recipe.yaml", write_yaml(resolved))


def _known(path: Path) -> Any:
    try:
        return read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged: {error}. Start anew with --fresh.") from error


def _differences(theirs: Any, ours: Any, place: str = "") -> list[str]:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        keys = [*theirs, *(key for key in ours if key not in theirs)]
        below = [_differences(theirs.get(k), ours.get(k), f"{place}.{k}" if place else str(k)) for k in keys]
        return [line for lines in below for line in lines]
    return [] if theirs == ours else [f"{place}: {theirs!r} there, {ours!r} here"]


def command_line() -> str:
    """The command that is running, as a user would type it."""
    program = Path(sys.argv[0])
    return shlex.join([program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]])


def _environment() -> dict[str, Any]:
    versions = {}
    for library in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[library] = importlib.metadata.version(library)
    return {
        "command": command_line(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": versions,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()}, {os.cpu_count()} cores"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
