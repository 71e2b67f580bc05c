"""The run folder: whose it is, what it was made with, and that only one writer is in it."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from limbeck.core import RunError, UsageError
from limbeck.core.files import write_json, write_text

__all__ = ["claim", "command_line", "locked"]

_LIBRARIES = ("limbeck", "torch", "lightning-fabric", "numpy", "pandas", "scikit-learn", "scipy", "POT", "torchvision")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder; `UsageError` when another process has it."""
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise RunError(f"Cannot write to {folder}: {error.strerror}. Name another folder with --runs.") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"Another limbeck is at work in {folder}. Wait for it, or choose another --name."
            ) from error
        yield


def claim(folder: Path, resolved: Mapping[str, Any]) -> None:
    """Make the folder this recipe's, or check that it is; writes recipe.yaml and environment.json."""
    path = folder / "recipe.yaml"
    text = yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True, width=110)
    if path.exists():
        theirs = yaml.safe_load(path.read_text(encoding="utf-8"))
        differences = _differences(theirs, yaml.safe_load(text))
        if differences:
            shown = "\n".join(f"  - {line}" for line in differences[:8])
            raise UsageError(
                f"{folder} belongs to another recipe:\n{shown}\nChoose another --name, or start anew with --fresh."
            )
        return
    write_text(path, text)
    write_json(folder / "environment.json", _environment())


def _differences(theirs: Any, ours: Any, place: str = "") -> list[str]:
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        keys = [*theirs, *(key for key in ours if key not in theirs)]
        below = [_differences(theirs.get(k), ours.get(k), f"{place}.{k}" if place else str(k)) for k in keys]
        return [line for lines in below for line in lines]
    return [] if theirs == ours else [f"{place}: {theirs!r} there, {ours!r} here"]


def command_line() -> str:
    """The command that is running, as a user would type it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


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
