"""Teachers in a run: one that learns by itself does so once in a process, is asked again alike, and is told apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from small_skops import stand_in

from limbeck import transfer
from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.recipes import load_plans, rank_recipe, run_recipe
from limbeck.teachers.sklearn import SklearnTeacher

Recipe = dict[str, Any]
FOREST: Recipe = {"sklearn": {"settings": {"n_estimators": 5}}}


@pytest.fixture
def forest(recipe: Recipe) -> Recipe:
    recipe["teacher"] = FOREST
    recipe["rows"] = {"alone": "source_only", "taught": {"distill": {"objectives": ["cross_entropy", "kl"]}}}
    recipe["seeds"] = 2
    return recipe


def answers(folder: Path) -> list[np.ndarray]:
    return [np.load(path) for path in sorted(folder.glob("knowledge/*/logits.npy"))]


def test_a_forest_teaches_a_whole_run(forest: Recipe, run: Callable[..., Path], counted: list[int]) -> None:
    results = read_json(run(forest) / "results.json")
    teacher, alone, taught = results["rows"]
    assert teacher["kind"] == "teacher" and teacher["reads"]["training"] == ["source"]
    assert teacher["target"]["accuracy"]["mean"] > 0.7 and teacher["parameters"] is None
    assert taught["reads"]["teacher"] == "teacher" and alone["reads"]["teacher"] is None
    assert len(counted) == 2 == len(set(counted))  # once for each seed, though the stages ask often


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds with which a teacher was fitted."""
    seeds, fit = [], SklearnTeacher.fit

    def counting(self: SklearnTeacher, source: Any, seed: int) -> None:
        seeds.append(seed)
        fit(self, source, seed)

    monkeypatch.setattr(SklearnTeacher, "fit", counting)
    return seeds


def test_another_process_asks_the_same_teacher(forest: Recipe, run: Callable[..., Path], counted: list[int]) -> None:
    """Stage by stage, the store lost in between: the same answers, and nothing that is already there is done again."""
    folder = run(forest, stages=["teacher", "knowledge"])
    first = answers(folder)
    assert len(first) == 2 and not np.array_equal(*first)
    run(forest, stages=["teacher", "knowledge"])
    assert len(counted) == 4  # to know whose store it is
    shutil.rmtree(folder / "knowledge")
    run(forest, stages=["knowledge"])
    assert all(np.array_equal(*pair) for pair in zip(first, answers(folder), strict=True))
    assert not list(folder.glob("**/*.joblib")) and not list(folder.glob("**/*.pkl"))


def test_ensembles_of_it_with_a_network(forest: Recipe, run: Callable[..., Path]) -> None:
    del forest["teacher"]
    forest["teachers"] = {
        "both": {"ensemble": {"members": ["forest", "network"]}},
        "forest": FOREST,
        "network": {"network": {"network": {"mlp": {"hidden": [4]}}}},
    }
    results = read_json(run(forest | {"seeds": 1}) / "results.json")
    assert [row["name"] for row in results["rows"]] == ["both", "forest", "network", "alone", "taught"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"rows": {"a": {"distill": {"objectives": ["fitnet"]}}}},
            "needs the teacher's features, and the teacher gives",
        ),
        ({"teacher": FOREST | {"training": {"epochs": 1}}}, "It learns by itself, .*: leave out 'training'"),
        ({"teacher": FOREST | {"method": "source_only"}}, "leave out 'method'"),
        ({"teacher": {"sklearn": {"estimator": "random_forst"}}}, "Did you mean 'random_forest'"),
    ],
)
def test_check_refuses_what_cannot_be(forest: Recipe, changes: Recipe, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        load_plans({**forest, **changes})


def test_what_only_the_data_show_is_told_before_anything_trains(forest: Recipe, run: Callable[..., Path]) -> None:
    rows = {"a": "source_only", "b": {"source_only": {}, "start": "teacher"}}
    with pytest.raises(UsageError, match="'teacher' has no network that a student could start from"):
        run({**forest, "rows": rows})
    with pytest.raises(UsageError, match="ridge of scikit-learn is for values, and the task is classification"):
        run({**forest, "teacher": {"sklearn": {"estimator": "ridge"}}})


def test_values_are_taught_by_a_forest(forest: Recipe, run: Callable[..., Path]) -> None:
    for role in ("source", "target"):
        forest[role]["csv"] |= {"label": "price", "drop": ["sick"]}
    objectives = [{"mean_squared_error": {"to": to}} for to in ("labels", "teacher")]
    forest["rows"] = {"alone": "source_only", "taught": {"distill": {"objectives": objectives}}}
    forest["teacher"] = {"sklearn": {"settings": {"n_estimators": 50}}}
    teacher, *_ = read_json(run(forest | {"seeds": 1}) / "results.json")["rows"]
    assert teacher["source"]["r2"]["mean"] > 0.3  # in the user's unit: a wrong one would be far below 0


def test_a_forest_is_ranked(recipe: Recipe, tmp_path: Path) -> None:
    target = recipe["target"]["csv"]
    ranked = {
        "name": "which",
        "target": {"csv": target},
        "candidates": {"near": recipe["source"], "itself": {"csv": target | {"name": "itself"}}},
        "teacher": FOREST,
        **{key: recipe[key] for key in ("split", "student", "training", "gap")},
    }
    found = read_json(rank_recipe(ranked, runs=tmp_path, quiet=True) / "rank.json")
    assert {entry["name"] for entry in found["candidates"]} == {"near", "itself"}


def test_a_contest_with_a_forest(forest: Recipe, run: Callable[..., Path]) -> None:
    path = forest["target"]["csv"]["path"]
    frame = pd.read_csv(path)
    frame.assign(dose=frame["dose"] + 3).to_csv(path, index=False)
    forest["rows"] = {"alone": "source_only", "found": "auto"}
    forest["gap"]["distances"] = ["mmd"]  # the means moved, which CORAL does not see
    forest["gap"]["settings"]["permutations"] = 99
    forest |= {"seeds": 1, "auto": {"budget": 0.02}, "split": {}}
    choice = read_json(run(forest) / "results.json")["choice"]
    assert "a teacher that gives logits" in choice["why"] and len(choice["candidates"]) > 1


def test_a_loaded_one_needs_no_training(forest: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.read_csv(forest["source"]["csv"]["path"])
    model = RandomForestClassifier(5, random_state=0).fit(frame[["dose"]], frame["sick"])
    stand_in(monkeypatch).dump(model, tmp_path / "model.skops")
    forest["teacher"] = {"sklearn": {"path": str(tmp_path / "model.skops")}}
    (folder,) = run_recipe(forest | {"seeds": 1}, runs=tmp_path / "runs", quiet=True)
    teacher, *_ = read_json(folder / "results.json")["rows"]
    assert teacher["reads"] is None and teacher["target"]["accuracy"]["mean"] > 0.6


def test_the_one_call_takes_a_teacher_by_name(tmp_path: Path) -> None:
    labels = np.arange(60) % 2
    domain = (np.random.default_rng(0).normal(size=(60, 3)) + labels[:, None], labels)
    small = {"mlp": {"hidden": [4]}}
    quick = {"training": {"epochs": 1, "batch_size": 16, "precision": "fp32"}, "rows": {"alone": "source_only"}}
    gap = {"distances": ["coral"], "settings": {"permutations": 19, "resamples": 20, "repeats": 20}}
    done = transfer(domain, domain, FOREST, small, seeds=1, runs=tmp_path, quiet=True, gap=gap, **quick)
    assert done.results["rows"][0]["kind"] == "teacher" and "sklearn" in (done.folder / "recipe.yaml").read_text()
