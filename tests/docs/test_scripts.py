"""The scripts in examples/ run, with few steps."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_script_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"own_loop", "transfer"}


@pytest.mark.slow
def test_parts_in_a_loop_of_ones_own(tmp_path: Path) -> None:
    accuracy = script("own_loop").main(tmp_path)
    assert all(0.5 < value <= 1 for value in accuracy.values()), accuracy


@pytest.mark.slow
def test_the_one_call(tmp_path: Path) -> None:
    done = script("transfer").main(tmp_path, seeds=1, epochs=2)
    assert done.report.is_file() and done.verdict
