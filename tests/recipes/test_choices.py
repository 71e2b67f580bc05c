"""Choices by measurement: made once a run, kept in its recipe, shared by rows and seeds, and overridable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from limbeck.core.files import read_json
from limbeck.networks import Observed
from limbeck.recipes import _choices, load_plans, run_recipe
from limbeck.recipes._yaml import read_yaml

DRAW = np.random.default_rng(0)


def recipe(**changes: Any) -> dict[str, Any]:
    images = DRAW.random((60, 8, 8)).astype(np.float32)
    labels = ["a", "b"] * 30
    domain = {"arrays": {"inputs": images, "labels": labels}}
    return {
        "name": "run",
        "source": domain,
        "target": domain,
        "student": {"cnn": {"widths": [4], "hidden": 4}},
        "rows": {"alone": {"source_only": {}}, "again": {"source_only": {"label_smoothing": 0.1}}},
        "training": {"epochs": 1, "batch_size": 8},
        "seeds": 2,
        **changes,
    }


def choices(folder: Path) -> dict[str, Any]:
    return read_yaml((folder / "recipe.yaml").read_text(), "recipe").get("choices")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which measurements were made."""
    made: list[str] = []

    def passes(network, inputs, settings, backward=True) -> dict[str, Any]:
        made.append("passes")
        return {"precision": "fp32", "layout": "channels_last", "step_ms": {}}

    monkeypatch.setattr(_choices, "_measured_passes", passes)
    return made


def test_measured_once_for_all_rows_and_seeds_and_kept(measured: list[str], tmp_path: Path) -> None:
    given = recipe()
    (folder,) = run_recipe(given, runs=tmp_path, stages=["student"], quiet=True)
    assert measured == ["passes"]
    kept = choices(folder)
    assert kept["passes/student"]["layout"] == "channels_last"
    assert kept["compile/student"]["compile"] is False and "cannot pay" in kept["compile/student"]["reason"]
    done = folder / "students" / "again" / "1"
    (done / "predictions.npz").unlink()
    (done / "done.json").unlink()
    run_recipe(given, runs=tmp_path, stages=["student"], quiet=True)
    assert measured == ["passes"] and choices(folder) == kept
    assert read_json(done / "done.json")["steps"] == 4


def test_what_a_recipe_says_is_not_measured(measured: list[str], tmp_path: Path) -> None:
    training = {"epochs": 1, "batch_size": 8, "precision": "fp32", "layout": "contiguous", "compile": False}
    (folder,) = run_recipe(recipe(training=training), runs=tmp_path, stages=["student"], quiet=True)
    assert measured == [] and not choices(folder)


def test_choices_of_an_earlier_run_are_taken_over(measured: list[str], tmp_path: Path) -> None:
    given = {"passes/student": {"precision": "fp32", "layout": "contiguous"}, "compile/student": {"compile": False}}
    (folder,) = run_recipe(recipe(choices=given), runs=tmp_path, stages=["student"], quiet=True)
    assert measured == [] and choices(folder) == given


def test_a_real_measurement_names_its_times(tmp_path: Path) -> None:
    (plan,) = load_plans(recipe())
    settings = plan.make("training")
    network = plan.make("student")
    network.build((1, 8, 8), 2)
    found = _choices._measured_passes(Observed(network), torch.zeros(8, 1, 8, 8), settings, 100)
    assert found["precision"] in ("fp32", "bf16") and found["layout"] in ("contiguous", "channels_last")
    assert found["step_ms"]["fp32 contiguous"] > 0


def test_a_source_free_row_is_timed_on_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dark: list[bool] = []

    def passes(network, inputs, settings, ahead, backward=True) -> dict[str, Any]:
        dark.append(bool(inputs.mean() < -1))
        return {"precision": "fp32", "layout": "contiguous", "step_ms": {}}

    monkeypatch.setattr(_choices, "_measured_passes", passes)
    rows = {"adapted": {"shot": {}, "start": "teacher"}}
    given = recipe(rows=rows, teacher={"network": {"network": {"cnn": {"widths": [4], "hidden": 4}}}}, seeds=1)
    images = np.zeros((60, 8, 8), dtype=np.float32)
    given["target"] = {"arrays": {"inputs": images, "labels": ["a", "b"] * 30}}
    run_recipe(given, runs=tmp_path, stages=["teacher", "student"], quiet=True)
    assert dark == [False, True]


@pytest.mark.parametrize("method", [{"mean_teacher": {}}, {"weight_average": {}}])
def test_of_an_average_the_student_is_timed_whose_steps_they_are(tmp_path: Path, method: dict[str, Any]) -> None:
    """The average takes none; neither of the row nor of the teacher was anything measured before it."""
    network = {"cnn": {"widths": [4], "hidden": 4}}
    given = recipe(rows={"averaged": method}, teacher={"network": {"network": network}, "method": method})
    (folder,) = run_recipe(given, runs=tmp_path, stages=["teacher", "student"], quiet=True)
    assert {"passes/teacher", "passes/student"} <= choices(folder).keys()
