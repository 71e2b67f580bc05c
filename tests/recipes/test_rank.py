"""Ranking: the candidates of a recipe in folders of their own, and rank.json."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from limbeck.cli import app
from limbeck.core import RunError, UsageError
from limbeck.core.files import read_json
from limbeck.recipes import RankError, rank_recipe, run_recipe
from limbeck.recipes._rank import _sentence, check_ranking

Recipe = dict[str, Any]
Rank = Callable[..., Path]


NUMBERS = ("age", "dose", "weight", *(f"noise{place}" for place in range(12)))


def table(seed: int, rows: int, shift: float = 0.0) -> pd.DataFrame:
    """Two classes that lie apart along two of fifteen numbers."""
    random, sick = np.random.default_rng(seed), np.arange(rows) % 2
    frame = pd.DataFrame({name: random.normal(size=rows) for name in NUMBERS})
    frame["age"] += 1.5 * sick + shift
    frame["dose"] -= 1.5 * sick
    return frame.assign(sick=np.where(sick == 1, "yes", "no"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rank")
    target, near = table(0, 120), table(1, 320, shift=0.3)
    shuffled, noise = near.copy(), near.copy()
    shuffled["sick"] = np.random.default_rng(2).permutation(shuffled["sick"])
    noise[list(NUMBERS)] = np.random.default_rng(3).uniform(-50, 50, (320, len(NUMBERS)))
    for name, frame in {"target": target, "near": near, "shuffled": shuffled, "noise": noise}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def data(world: Path, name: str) -> Recipe:
    return {"csv": {"path": str(world / f"{name}.csv"), "label": "sick"}}


def written(world: Path) -> Recipe:
    return {
        "name": "wards",
        "target": data(world, "target"),
        "candidates": {name: data(world, name) for name in ("noise", "near", "shuffled")},
        "student": {"mlp": {"hidden": [8]}},
        "split": {"labelled": 6, "test": 0.3},
        "training": {
            "epochs": 8,
            "batch_size": 16,
            "learning_rate": 0.03,
            "precision": "fp32",
            "layout": "contiguous",
            "compile": False,
        },
        "gap": {"settings": {"samples": 60, "resamples": 20, "repeats": 20, "permutations": 19}},
    }


@pytest.fixture
def recipe(world: Path) -> Recipe:
    """The recipe with one candidate, for a test to change."""
    content = written(world)
    return {**content, "candidates": {"near": content["candidates"]["near"]}}


@pytest.fixture
def rank(tmp_path: Path) -> Rank:
    return lambda content, **more: rank_recipe(content, runs=tmp_path / "runs", quiet=True, **more)


@pytest.fixture(scope="module")
def folder(world: Path) -> Path:
    """The three candidates ranked once."""
    return rank_recipe(written(world), runs=world / "runs", quiet=True)


def by_name(ranking: Recipe) -> dict[str, Recipe]:
    return {entry["name"]: entry for entry in ranking["candidates"]}


def scores(entry: Recipe) -> dict[str, Recipe]:
    return {score["name"]: score for score in entry["scores"]}


def test_what_has_nothing_to_give_comes_last_and_is_not_worth_it(folder: Path):
    ranking = read_json(folder / "rank.json")
    assert [entry["rank"] for entry in ranking["candidates"]] == [1, 2, 3]
    assert ranking["candidates"][0]["name"] == "near"
    assert {name: entry["verdict"] == "do not transfer" for name, entry in by_name(ranking).items()} == {
        "near": False,
        "shuffled": True,
        "noise": True,
    }
    assert ranking["sentence"].startswith("The first choice is near: transfer")
    assert "noise" in ranking["sentence"] and "shuffled" in ranking["sentence"]
    combined = [entry["combined"] for entry in ranking["candidates"]]
    assert combined[0] > max(combined[1:])


def test_every_score_has_its_family_and_an_interval_around_it(folder: Path):
    ranking = read_json(folder / "rank.json")
    near = scores(by_name(ranking)["near"])
    assert {"logme", "leep", "nce", "shrunk_h_score", "transrate", "target_accuracy", "expected_accuracy"} == {
        name for name, score in near.items() if score["family"] == "transferability"
    }
    assert {"mmd", "coral", "wasserstein", "a_distance", "dataset_distance"} <= {
        name for name, score in near.items() if score["family"] == "distance" and not score["higher_is_better"]
    }
    assert {"source_accuracy", "calibration_error", "source_samples"} == {
        name for name, score in near.items() if score["family"] == "teacher"
    }
    for name, score in near.items():
        if name not in ("calibration_error", "source_samples"):
            assert score["low"] <= score["value"] <= score["high"], name
    assert near["source_samples"]["value"] == 160  # half of the rows train
    shown = {name for name, score in near.items() if not score["counts"]}
    assert shown == {name for name, score in near.items() if score["family"] != "transferability"} | {"transrate"}


def test_expected_is_the_better_of_the_answers_and_a_new_head(folder: Path):
    for entry in read_json(folder / "rank.json")["candidates"]:
        found = scores(entry)
        said = [int(share) / 100 for share in re.findall(r"right on (\d+)%", entry["reason"])]
        if len(said) == 3:  # alone, its answers, a new head
            assert found["expected_accuracy"]["value"] == pytest.approx(max(said[1:]), abs=0.006)
            assert found["target_accuracy"]["value"] == pytest.approx(said[1], abs=0.006)


def test_the_ranking_is_as_its_schema_says_and_is_the_same_again(folder: Path, world: Path):
    before = (folder / "rank.json").read_bytes()
    check_ranking(read_json(folder / "rank.json"))
    weights = {path: path.stat().st_mtime_ns for path in folder.glob("*/teachers/*/*/weights.safetensors")}
    assert len(weights) == 3
    assert rank_recipe(written(world), runs=world / "runs", quiet=True) == folder
    assert (folder / "rank.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in weights} == weights  # nothing was trained again
    with pytest.raises(RunError, match=r"rank.json is not as its schema says, at \$"):
        check_ranking({**read_json(folder / "rank.json"), "candidates": []})


def test_a_lost_score_is_made_again_from_the_trained_teacher(recipe: Recipe, rank: Rank):
    folder = rank(recipe)
    known, weights = (folder / "near" / "score.json").read_bytes(), next(folder.glob("near/teachers/*/*/weights*"))
    (folder / "near" / "score.json").unlink()
    touched = weights.stat().st_mtime_ns
    assert (rank(recipe) / "near" / "score.json").read_bytes() == known
    assert weights.stat().st_mtime_ns == touched


def test_a_candidate_that_is_run_anew_is_scored_anew(recipe: Recipe, rank: Rank, tmp_path: Path):
    folder = rank(recipe)
    run_recipe(folder / "near", fresh=True, stages=["teacher"], quiet=True)
    assert not (folder / "near" / "score.json").exists()
    assert (rank(recipe) / "near" / "score.json").exists()


def test_the_command_prints_a_table_with_reasons_or_the_file(
    folder: Path, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "wards.yaml"
    path.write_text(yaml.safe_dump(written(world), sort_keys=False))
    arguments = ["rank", str(path), "--runs", str(world / "runs")]
    app(arguments, standalone_mode=False)
    said, ranking = capsys.readouterr().out, read_json(folder / "rank.json")
    assert "candidates for target, labelled samples a class: 6" in said
    for entry in ranking["candidates"]:
        assert f"\n{entry['name']}: {entry['verdict']}. {entry['reason']}" in said
    assert said.endswith(ranking["sentence"] + "\n")
    app([*arguments, "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["candidates"] == ranking["candidates"]
    app(["show", str(folder)], standalone_mode=False)
    assert capsys.readouterr().out in said
    with pytest.raises(UsageError, match=r"holds a ranking, which `limbeck show .*` prints. Name the folder of one"):
        app(["report", str(folder)], standalone_mode=False)


def test_no_label_of_the_target_is_read_but_the_labelled_ones(folder: Path):
    assert not list(folder.glob("*/openings.jsonl"))


def test_without_labels_the_scores_are_named_pseudo(recipe: Recipe, rank: Rank):
    entry = by_name(read_json(rank({**recipe, "split": {"labelled": 0}}) / "rank.json"))["near"]
    names = set(scores(entry))
    assert {"pseudo_logme", "pseudo_leep", "pseudo_transrate", "pseudo_dataset_distance"} <= names
    assert not names & {"logme", "leep", "nce", "pseudo_nce", "target_accuracy", "dataset_distance"}
    assert scores(entry)["mmd"]["counts"] and not scores(entry)["pseudo_transrate"]["counts"]
    assert not entry["sure"] and entry["reason"].startswith("Without target labels this is a weak verdict")


def test_a_target_without_any_label_is_ranked_by_guesses(recipe: Recipe, rank: Rank, world: Path):
    recipe["target"] = {"csv": {"path": str(world / "target.csv"), "drop": ["sick"]}}
    recipe["split"] = {"labelled": 0, "test": 0.3}
    entry = by_name(read_json(rank(recipe) / "rank.json"))["near"]
    assert "pseudo_leep" in scores(entry) and not entry["sure"]


def test_a_candidate_can_bring_a_teacher_of_its_own(recipe: Recipe, rank: Rank, folder: Path, world: Path):
    weights = next((folder / "near" / "teachers").glob("*/*/weights.safetensors"))
    recipe["candidates"]["given"] = {
        **data(world, "near"),
        "teacher": {"network": {"network": {"mlp": {"hidden": [8]}}, "weights": str(weights)}},
    }
    found = by_name(read_json(rank(recipe) / "rank.json"))
    assert not (rank(recipe) / "given" / "teachers").exists()  # nothing was trained
    known = by_name(read_json(folder / "rank.json"))["near"]
    assert scores(found["given"])["leep"]["value"] == pytest.approx(scores(known)["leep"]["value"])


def test_a_candidate_that_fails_is_named_and_the_others_are_ranked(recipe: Recipe, rank: Rank, tmp_path: Path):
    recipe["candidates"]["gone"] = {"csv": {"path": "gone.csv", "label": "sick"}}
    with pytest.raises(RankError, match=r"1 of 2 candidates failed; the others are ranked:\n  - gone: .*gone.csv") as e:
        rank(recipe)
    assert e.value.ranked == tmp_path / "runs" / "wards"
    assert list(by_name(read_json(tmp_path / "runs" / "wards" / "rank.json"))) == ["near"]
    assert e.value.exit_code == UsageError.exit_code  # a path that is not there, and no failure of a run


def test_a_candidate_is_a_run_that_can_be_gone_on_with(recipe: Recipe, rank: Rank):
    chosen = rank(recipe) / "near"
    (run,) = run_recipe(chosen, quiet=True)
    assert run == chosen and (chosen / "results.json").exists()


def test_overrides_reach_candidates_and_what_they_share(recipe: Recipe, rank: Rank, world: Path):
    before = copy.deepcopy(recipe)
    overrides = ["training.epochs=1", f"candidates.near.csv.path={world / 'noise.csv'}"]
    text = (rank(recipe, overrides=overrides) / "near" / "recipe.yaml").read_text()
    made = yaml.safe_load(text)
    assert made["training"]["epochs"] == 1 and made["source"]["csv"]["path"] == str(world / "noise.csv")
    assert recipe == before
    whole = f"candidates={json.dumps({'other': data(world, 'near')})}"
    assert [*by_name(read_json(rank(recipe, overrides=[whole], name="other") / "rank.json"))] == ["other"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"candidates": None}, "needs 'candidates'"),
        ({"candidates": ["near.csv"]}, "needs 'candidates'"),
        ({"source": "digits"}, "no 'source': name it among the 'candidates'"),
        ({"matrix": {"a": {}}}, "no 'matrix': rank one target at a time"),
        ({"teachers": {}}, "no 'teachers'"),
        ({"studnt": "mlp"}, "no setting 'studnt'"),
        ({"candidates": {"a": {"csw": {}}}}, "Did you mean 'csv'"),
        ({"candidates": {"a/b": "digits"}}, "becomes a folder"),
    ],
)
def test_mistakes_are_told_before_anything_runs(recipe: Recipe, rank: Rank, tmp_path: Path, change: Recipe, said: str):
    with pytest.raises(UsageError, match=said):
        rank({**recipe, **change})
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_not_there_is_said(rank: Rank, tmp_path: Path):
    with pytest.raises(UsageError, match=r"no recipe .gone\.yaml."):
        rank("gone.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(UsageError, match="must hold a mapping"):
        rank(tmp_path / "list.yaml")


@pytest.mark.parametrize(("sure", "told"), [(True, "good: transfer."), (False, "good: transfer, not sure.")])
def test_a_first_choice_that_is_not_sure_is_told_so(sure: bool, told: str) -> None:
    assert _sentence([{"name": "good", "verdict": "transfer", "sure": sure}]) == f"The first choice is {told}"
