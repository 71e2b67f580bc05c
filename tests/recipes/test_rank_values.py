"""Ranking where the labels are values to regress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.core.files import read_json
from limbeck.recipes import rank_recipe
from limbeck.recipes._rank import check_ranking
from limbeck.reports.ranking import print_ranking

Recipe = dict[str, Any]
NUMBERS = ("age", "dose", *(f"noise{place}" for place in range(12)))


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Recipe]:
    """A target and candidates, named as their tables are, whose `sum` age and dose explain."""

    def part(name: str) -> Recipe:
        random = np.random.default_rng(len(name))
        frame = pd.DataFrame({column: random.normal(size=120 if name == "target" else 320) for column in NUMBERS})
        frame = frame.assign(sum=100 + 10 * frame["age"] - 10 * frame["dose"] + random.normal(size=len(frame)))
        if name == "noise":
            frame[list(NUMBERS)] = random.uniform(-50, 50, (len(frame), len(NUMBERS)))
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        return {"csv": {"path": str(tmp_path / f"{name}.csv"), "label": "sum", "task": "regression"}}

    def written(*candidates: str, labelled: int = 20) -> Recipe:
        plain = {"precision": "fp32", "layout": "contiguous", "compile": False}
        return {
            "target": part("target"),
            "candidates": {name: part(name) for name in candidates},
            "student": {"mlp": {"hidden": [8]}},
            "split": {"labelled": labelled, "test": 0.3},
            "training": {"epochs": 30, "batch_size": 16, "learning_rate": 0.02, **plain},
            "gap": {"settings": {"samples": 60, "resamples": 20, "repeats": 20, "permutations": 19}},
        }

    return written


def scores(entry: Recipe) -> dict[str, Recipe]:
    return {score["name"]: score for score in entry["scores"]}


def test_candidates_are_compared_by_the_variance_they_explain(
    recipe: Callable[..., Recipe], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = rank_recipe(recipe("noise", "near"), runs=tmp_path / "runs", quiet=True)
    ranking = read_json(folder / "rank.json")
    check_ranking(ranking)
    best, worst = ranking["candidates"]
    assert best["name"] == "near" and best["verdict"] != "do not transfer" and "of the variance" in best["reason"]
    for entry in (best, worst):
        found = scores(entry)
        assert found.keys() >= {"target_order", "logme", "mmd"} and not found["source_explained"]["counts"]
        assert found["expected_explained"]["value"] >= found["target_explained"]["value"]
    assert scores(best)["target_explained"]["value"] > 0.5 > scores(worst)["target_explained"]["value"]
    assert best["balanced_source_accuracy"] is None and not list(folder.glob("*/openings.jsonl"))
    print_ranking(folder)
    assert "labelled samples: 20" in capsys.readouterr().out


def test_without_labels_there_are_distances_and_the_teacher_alone(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    folder = rank_recipe(recipe("near", labelled=0), runs=tmp_path / "runs", quiet=True)
    (entry,) = read_json(folder / "rank.json")["candidates"]
    assert {score["family"] for score in entry["scores"]} == {"distance", "teacher"}
    assert all(score["counts"] for score in entry["scores"])
    assert not entry["sure"] and entry["reason"].startswith("Without target labels this is a weak verdict")
