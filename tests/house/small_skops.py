"""A stand-in for skops where it is not installed: the three functions by pickle, for files that a test wrote itself."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

__all__ = ["stand_in"]


def stand_in(monkeypatch: pytest.MonkeyPatch, strange: Sequence[str] = ()) -> Any:
    """The module `skops.io` until the test ends; strange: the types that it says it does not know."""
    io = types.ModuleType("skops.io")

    def load(path: Path, trusted: Sequence[str]) -> Any:
        assert set(strange) <= set(trusted), "only after they were named"
        return pickle.loads(Path(path).read_bytes())

    io.dump = lambda model, path: Path(path).write_bytes(pickle.dumps(model))  # type: ignore[attr-defined]
    io.get_untrusted_types = lambda *, file: list(strange)  # type: ignore[attr-defined]
    io.load = load  # type: ignore[attr-defined]
    package = types.ModuleType("skops")
    monkeypatch.setitem(sys.modules, "skops", package)
    monkeypatch.setitem(sys.modules, "skops.io", io)
    return io
