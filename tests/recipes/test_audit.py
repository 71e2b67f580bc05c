"""Source-free and black-box rows in a recipe: what they need, and the audit of what they read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.evaluation import check_results
from limbeck.recipes import load_plans

Recipe = dict[str, Any]


def faults(recipe: Recipe) -> str:
    with pytest.raises(UsageError) as error:
        load_plans(recipe)
    return str(error.value)


def test_shot_needs_a_start_and_dine_a_teacher(recipe: Recipe) -> None:
    recipe["rows"]["adapted"] = "shot"
    assert "rows.adapted: It goes on from a trained model: name a row above it, or a teacher" in faults(recipe)
    recipe["rows"] = {"alone": "source_only", "adapted": "dine"}
    del recipe["teacher"]
    assert "rows.adapted: This row learns from a teacher, and the recipe has no 'teacher'." in faults(recipe)


@pytest.mark.parametrize("where", ["recipe", "row"])
def test_a_validator_on_the_source_is_refused(recipe: Recipe, where: str) -> None:
    recipe["rows"] = {"alone": "source_only", "adapted": {"dine": {}}}
    (recipe if where == "recipe" else recipe["rows"]["adapted"])["validator"] = "source_validation"
    message = "rows.adapted: It may see no sample of the source, which source_validation reads: set its 'validator' to"
    assert message in faults(recipe)
    recipe["rows"]["adapted"]["validator"] = "entropy"
    load_plans(recipe)


def test_the_audit_says_what_each_training_read(recipe: Recipe, run: Callable[..., Path]) -> None:
    recipe["rows"] = {
        "alone": "source_only",
        "distilled": recipe["rows"]["distilled"],
        "adapted": {"shot": {}, "start": "alone"},
        "black_box": {"dine": {}},
    }
    folder = run(recipe)
    results = read_json(folder / "results.json")
    check_results(results)
    both = {"selection": ["source", "target"], "start": None, "teacher": None, "knowledge": {}}
    alone = {"training": ["source"], **both}
    assert {row["name"]: row["reads"] for row in results["rows"]} == {
        "teacher": alone,
        "alone": alone,
        "distilled": {"training": ["source", "target"], **both, "teacher": "teacher", "knowledge": {"logits": 2}},
        "adapted": {"training": ["target"], **both, "selection": ["target"], "start": "alone"},
        "black_box": {
            "training": ["target"],
            **both,
            "selection": ["target"],
            "teacher": "teacher",
            "knowledge": {"top probabilities": 1, "their classes": 1},
        },
    }
    scored = {row["name"]: set(row["seeds"][0]["validators"]) for row in results["rows"]}
    assert scored["alone"] - scored["adapted"] == {"source_validation"} and scored["adapted"] == scored["black_box"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "What each training read" in page and "1 top probabilities, 1 their classes" in page


def test_of_a_black_box_its_top_answers_alone_lie_on_the_disk(recipe: Recipe, run: Callable[..., Path]) -> None:
    recipe["rows"] = {"alone": "source_only", "black_box": {"dine": {"top": 1}}}
    recipe["knowledge"] = {"keeping": {"mass": 0.99}}
    folder = run(recipe, stages=["teacher", "knowledge"])
    stores = list((folder / "knowledge").glob("*/manifest.json"))
    assert stores
    for path in stores:
        about = read_json(path)
        assert about["identity"]["keeping"]["top"] == about["top"] == 1 and not about["identity"]["layers"]
        assert set(about["arrays"]) == {"top_values", "top_classes", "top_tail"}
        assert {file.name for file in path.parent.glob("*.npy")} == {f"{n}.npy" for n in (*about["arrays"], "rows")}
        said = np.load(path.parent / "top_values.npy")
        assert said.shape == (about["rows"], 1) and (said <= 0).all()
        rest = np.load(path.parent / "top_tail.npy")
        assert np.allclose(np.exp(said[:, 0]) + np.exp(rest), 1, atol=1e-6)
