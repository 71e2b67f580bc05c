"""What only the data can tell is told before anything trains, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import UsageError
from limbeck.recipes._overrides import put

Recipe = dict[str, Any]
Run = Callable[..., Path]


@pytest.fixture
def fault(run: Run, tmp_path: Path) -> Callable[[Recipe], str]:
    """What a run of the recipe says; nothing was trained when it does."""

    def told(recipe: Recipe) -> str:
        with pytest.raises(UsageError) as caught:
            run(recipe)
        folder = tmp_path / "runs" / "small"
        assert not (folder / "teachers").exists() and not (folder / "students").exists()
        assert not (folder / "openings.jsonl").exists()
        return str(caught.value)

    return told


@pytest.fixture
def regression(recipe: Recipe) -> Recipe:
    for side in ("source", "target"):
        recipe[side]["csv"] |= {"label": "price", "drop": ["sick"]}
    return recipe


def test_objectives_for_classes_need_classes(regression: Recipe, fault: Callable[[Recipe], str]) -> None:
    regression["teacher"]["method"] = {"distill": {"objectives": "cross_entropy"}}
    told = fault(regression)
    assert told.startswith("3 errors in small, now that the data are known")
    for owner in ("teachers.teacher: cross_entropy", "rows.distilled: cross_entropy", "rows.distilled: kl"):
        assert f"{owner} is for classes, and the labels of near are values to regress." in told
    assert "Use one of: adversarial, afn, align, align_sources, fitnet, mean_squared_error." in told


def test_a_device_that_is_not_there_is_told_once(
    recipe: Recipe, fault: Callable[[Recipe], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    recipe["training"]["device"] = "cuda"
    told = fault(recipe)
    assert told.startswith("1 error in small") and "training.device: The 'device' of training must be one" in told


@pytest.mark.parametrize("place", ["validator", "rows.alone.validator", "teachers.teacher.validator"])
def test_validators_of_classes_need_classes(regression: Recipe, fault: Callable[[Recipe], str], place: str) -> None:
    regression["teachers"] = {"teacher": regression.pop("teacher")}
    del regression["rows"]["distilled"]
    put(regression, place, "entropy")
    assert f"{place}: The validator 'entropy' reads class probabilities" in fault(regression)


def test_a_regression_that_fits_runs(regression: Recipe, run: Run) -> None:
    regression |= {"rows": {"alone": "source_only"}, "validator": "source_validation"}
    assert run(regression, stages=["teacher", "student"])


def test_an_upper_bound_needs_labels(recipe: Recipe, fault: Callable[[Recipe], str]) -> None:
    recipe["target"]["csv"] = {"path": recipe["target"]["csv"]["path"], "drop": ["price", "sick"]}
    recipe["split"] = {}
    assert fault(recipe).endswith(
        "- rows.upper_bound: It learns from all labels of far, which has none: leave this row out."
    )


def test_labelled_samples_need_labels(recipe: Recipe, fault: Callable[[Recipe], str]) -> None:
    recipe["target"]["csv"] = {"path": recipe["target"]["csv"]["path"], "drop": ["price", "sick"]}
    assert "The 'labelled' of split must be 0, since far has no labels. Got 2." in fault(recipe)


MISFITS: list[tuple[dict[str, Any], list[str]]] = [
    ({"rows.alone.training": {"batch_size": 50}}, ["rows.alone: The 'batch_size' of training must be at most 40"]),
    (
        {"training.batch_size": 36},
        [
            "rows.distilled: The 'batch_size' of training must be at most 35, the training samples of far. Got 36.",
            "rows.upper_bound: The 'batch_size' of training must be at most 35",
        ],
    ),
    ({"rows.f": {"fine_tune": {"freeze": ["bdy"]}, "start": "alone"}}, ["rows.f: The 'freeze' of fine_tune names no"]),
    ({"rows.f": {"feature_extract": {"layer": "bdy"}, "start": "alone"}}, ["rows.f: Mlp has no layer 'bdy'"]),
    (
        {"rows.f": {"fine_tune": {}, "start": "alone", "student": {"mlp": {"hidden": [9]}}}},
        ["rows.f: The weights of row 'alone' do not fit Mlp"],
    ),
    (
        {"rows.f": {"feature_extract": {}, "start": "alone"}, "rows.g": {"fine_tune": {}, "start": "f"}},
        ["rows.g: The weights of row 'f' do not fit Mlp"],
    ),
    (
        {
            "student": {"torch.nn:Linear": {"in_features": 7, "out_features": 2}},
            "teachers.teacher.network.network": "cnn",
        },
        ["teachers.teacher: ", "rows.alone: Linear cannot read samples of shape", "rows.upper_bound: Linear"],
    ),
    ({"teachers.teacher.network.weights": "gone.safetensors"}, ["teachers.teacher: There is no file of weights gone"]),
    (
        {"teachers.teacher.method": {"distill": {"objectives": {"align": {"distance": "mmd", "layer": "x"}}}}},
        ["teachers.teacher: Mlp has no layer 'x'"],
    ),
]


@pytest.mark.parametrize(("changes", "said"), MISFITS, ids=[said[0][:40] for _, said in MISFITS])
def test_what_the_data_do_not_fit_is_told(
    recipe: Recipe, fault: Callable[[Recipe], str], changes: dict[str, Any], said: list[str]
) -> None:
    recipe["teachers"] = {"teacher": recipe.pop("teacher")}
    for place, value in changes.items():
        put(recipe, place, value)
    told = fault(recipe)
    assert all(sentence in told for sentence in said), told


def test_a_teacher_of_other_classes_is_told(
    recipe: Recipe, run: Run, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    weights = run(recipe, name="first", stages=["teacher"]) / "teachers" / "teacher" / "0" / "weights.safetensors"
    for path in tables:
        pd.read_csv(path).replace({"sick": {"yes": "ill"}}).to_csv(path, index=False)
    recipe["teacher"]["network"]["weights"] = str(weights)
    with pytest.raises(UsageError, match=r"knows other classes: no, yes. The task has: ill, no"):
        run(recipe, name="second")


def test_a_student_does_not_start_from_a_teacher_that_is_fed_otherwise(
    recipe: Recipe, run: Run, tables: tuple[Path, Path]
) -> None:
    weights = run(recipe, name="first", stages=["teacher"]) / "teachers" / "teacher" / "0" / "weights.safetensors"
    recipe["teacher"]["network"]["weights"] = str(weights)
    assert run(recipe, name="second", stages=["teacher", "knowledge", "student"])  # as a teacher it serves
    recipe["rows"] = {"alone": "source_only", "f": {"fine_tune": {}, "start": "teacher"}}
    with pytest.raises(UsageError, match=r"rows.f: The teacher 'teacher' prepares its inputs in its own way"):
        run(recipe, name="third")


def test_tables_and_images_do_not_mix(recipe: Recipe, fault: Callable[[Recipe], str], tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", inputs=np.zeros((40, 6, 6)), labels=np.array(["no", "yes"] * 20))
    recipe["target"] = {"arrays": {"path": str(tmp_path / "images.npz")}}
    assert "images: A table was expected" in fault(recipe)
