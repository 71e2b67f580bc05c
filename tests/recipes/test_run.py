"""The whole path, in one go and in parts; what was done is not done again, and what does not fit is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from limbeck.core import Domain, RunError, UsageError
from limbeck.core.files import read_json
from limbeck.evaluation import check_results
from limbeck.recipes import STAGES, _training_stages, run_recipe

Recipe = dict[str, Any]
Run = Callable[..., Path]
FILES = ["domains.json", "embedding.json", "environment.json", "gap.json", "preprocessing.json", "recipe.yaml"]


def times(folder: Path) -> dict[str, int]:
    """When each file was written, but for the lock."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, nothing trains and no label is opened."""

    def forbid() -> None:
        def never(*args: Any, **more: Any) -> Any:
            raise AssertionError("This was done before.")

        monkeypatch.setattr(_training_stages, "train", never)
        monkeypatch.setattr(Domain, "open", never)

    return forbid


def test_the_whole_path_and_a_second_call_that_does_nothing(recipe: Recipe, run: Run, forbidden: Any) -> None:
    folder = run(recipe)
    results = read_json(folder / "results.json")
    check_results(results)
    assert [(row["name"], row["kind"]) for row in results["rows"]] == [
        ("teacher", "teacher"),
        ("alone", "student"),
        ("distilled", "student"),
        ("upper_bound", "upper_bound"),
    ]
    assert all((folder / name).is_file() for name in [*FILES, "report.html"])
    assert not list(folder.rglob("checkpoint.pt"))
    domains = read_json(folder / "domains.json")
    assert domains["target"]["splits"]["labelled"] == 4 and domains["target"]["labels_known"]
    assert any("only_far" in note for note in domains["target"]["notes"])
    before = times(folder)
    forbidden()
    assert run(recipe) == folder
    assert times(folder) == before


def test_parts_of_the_path_end_where_the_whole_path_does(recipe: Recipe, run: Run) -> None:
    whole = run(recipe, name="whole")
    for stages in (["knowledge", "teacher"], ["gap"], ["student"], ["evaluation", "report"]):
        parts = run(recipe, name="parts", stages=stages)
    for path in whole.rglob("weights.safetensors"):
        assert path.read_bytes() == (parts / path.relative_to(whole)).read_bytes(), path
    mine, theirs = (read_json(folder / "results.json")["rows"] for folder in (whole, parts))
    assert [row["target"] for row in mine] == [row["target"] for row in theirs]
    assert read_json(whole / "gap.json") == read_json(parts / "gap.json")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("student", "The teacher 'teacher' is not trained yet: run the stage teacher first."),
        ("knowledge", "The teacher 'teacher' is not trained yet: run the stage teacher first."),
        ("evaluation", "Row 'alone', seed 0 is not trained yet: run the stage student first."),
        ("techer", "There is no stage 'techer'. Did you mean 'teacher'?"),
    ],
)
def test_a_stage_before_its_time_is_told(recipe: Recipe, run: Run, stage: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(recipe, stages=[stage])
    assert said in str(caught.value)


def test_a_student_does_not_start_from_a_teacher_that_knows_nothing(recipe: Recipe, run: Run) -> None:
    recipe["rows"] = {"alone": "source_only", "tuned": {"fine_tune": {}, "start": "teacher"}}
    with pytest.raises(UsageError, match="'teacher' is not trained yet"):
        run(recipe, stages=["student"])


def test_stages_run_in_their_order(recipe: Recipe, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in STAGES:
        monkeypatch.setitem(STAGES, name, lambda context, name=name: done.append(name))
    run(recipe, stages=["report", "teacher", "gap"])
    assert done == ["teacher", "gap", "report"]


def test_another_recipe_is_refused_with_its_differences(recipe: Recipe, run: Run) -> None:
    folder = run(recipe, stages=["gap"])
    before = times(folder)
    recipe |= {"seeds": [3], "student": {"mlp": {"hidden": [5]}}}
    with pytest.raises(UsageError) as caught:
        run(recipe, stages=["gap"])
    told = str(caught.value)
    assert "seeds: 1 there, [3] here" in told and "student.mlp.hidden: [4] there, [5] here" in told
    assert "--fresh" in told and times(folder) == before


def test_a_mistake_leaves_no_trace(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    """What was wrong can be mended and started again under the same name; what was there is not lost to --fresh."""
    right = recipe["source"]["csv"]["label"]
    recipe["source"]["csv"]["label"] = "sik"
    with pytest.raises(UsageError, match="names the column 'sik'"):
        run(recipe)
    recipe["source"]["csv"]["label"], recipe["training"]["batch_size"] = right, 500
    with pytest.raises(UsageError, match="The 'batch_size' of training"):
        run(recipe)
    assert [path.name for path in (tmp_path / "runs" / "small").iterdir()] == [".lock"]
    recipe["training"]["batch_size"] = 16
    before = times(run(recipe, stages=["teacher"]))
    recipe["training"]["batch_size"] = 500
    with pytest.raises(UsageError, match="The 'batch_size' of training"):
        run(recipe, fresh=True)
    assert times(tmp_path / "runs" / "small") == before


def test_fresh_starts_anew_and_leaves_what_is_not_a_runs(recipe: Recipe, run: Run) -> None:
    folder = run(recipe, stages=["teacher"])
    (folder / "notes.txt").write_text("mine")
    recipe["student"] = {"mlp": {"hidden": [5]}}
    run(recipe, stages=["gap"], fresh=True)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "teachers").exists() and (folder / "gap.json").exists()


@pytest.mark.parametrize(("column", "which"), [("dose", "source"), ("sick", "target")])
def test_changed_data_are_refused(recipe: Recipe, run: Run, tables: Any, column: str, which: str) -> None:
    run(recipe, stages=["gap"])
    path = tables[which == "target"]
    frame = pd.read_csv(path)
    if column == "dose":
        frame.loc[0, "dose"] += 1
    else:  # the same inputs and classes: only who has which label changes
        frame["sick"] = frame["sick"].map({"yes": "no", "no": "yes"})
    frame.to_csv(path, index=False)
    with pytest.raises(UsageError, match=f"The data of the .*{which}.* changed since"):
        run(recipe, stages=["gap"])


def test_a_report_is_written_anew_where_it_is_older_or_gone(recipe: Recipe, run: Run) -> None:
    folder = run(recipe)
    (folder / "report.html").unlink()
    run(recipe)
    first = (folder / "report.html").stat().st_mtime_ns
    (folder / "gap.json").write_text((folder / "gap.json").read_text())
    run(recipe)
    assert (folder / "report.html").stat().st_mtime_ns > first


def test_labels_behind_a_row_are_counted(recipe: Recipe, run: Run) -> None:
    """k stands at each row that saw labelled target samples, also through its start or its teacher."""
    labelled = {"distill": {"objectives": ["cross_entropy", {"cross_entropy": {}, "on": "labelled"}]}}
    recipe["teachers"] = {"plain": recipe["teacher"], "shown": recipe.pop("teacher") | {"method": labelled}}
    taught = {"distill": {"objectives": ["cross_entropy", "kl"]}}
    recipe["rows"] = {
        "alone": "source_only",
        "tuned": {"fine_tune": {}, "start": "alone"},
        "on_tuned": {"source_only": {}, "start": "tuned"},
        "from_plain": taught,
        "from_shown": {**taught, "teacher": "shown"},
        "untaught": {"source_only": {}, "teacher": "shown"},
    }
    recipe["training"]["epochs"] = 1
    rows = read_json(run(recipe, stages=["teacher", "knowledge", "student", "evaluation"]) / "results.json")["rows"]
    assert {row["name"]: row["labelled_per_class"] for row in rows} == {
        "plain": 0, "shown": 2, "alone": 0, "tuned": 2, "on_tuned": 2, "from_plain": 0, "from_shown": 2, "untaught": 0,
    }  # fmt: skip


def test_an_upper_bound_is_chosen_by_the_labels_that_it_may_see(recipe: Recipe, run: Run) -> None:
    rows = {row["name"]: row for row in read_json(run(recipe) / "results.json")["rows"]}
    for seed in rows["upper_bound"]["seeds"]:
        assert seed["regret"] == 0.0 and seed["epoch"] == seed["oracle_epoch"]
    assert "target_validation" in rows["upper_bound"]["seeds"][0]["validators"]
    assert "target_validation" not in rows["alone"]["seeds"][0]["validators"]


def test_every_opening_is_in_the_audit_and_no_other(recipe: Recipe, run: Run) -> None:
    recipe["seeds"] = 2
    run(recipe, stages=["teacher", "knowledge", "student"])
    folder = run(recipe)
    opened = [(entry["split"], entry["row"]) for entry in read_json(folder / "results.json")["openings"]]
    upper = [("train", "upper_bound"), ("selection", "upper_bound")]
    assert opened == [*upper, *upper, ("test", None), ("selection", None)]
    lines = (folder / "openings.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == [split for split, _ in opened]
    sizes = read_json(folder / "domains.json")["target"]["splits"]
    assert all(json.loads(line)["samples"] == sizes[json.loads(line)["split"]] for line in lines)


def test_a_trained_row_whose_predictions_are_lost_is_not_trained_again(
    recipe: Recipe, run: Run, forbidden: Any
) -> None:
    del recipe["rows"]["upper_bound"]
    folder = run(recipe, stages=["teacher", "knowledge", "student"])
    kept = folder / "students" / "distilled" / "0" / "predictions.npz"
    kept.unlink()
    forbidden()
    run(recipe, stages=["student"])
    assert kept.exists()


def test_cells_go_their_own_ways(recipe: Recipe, tmp_path: Path, tables: tuple[Path, Path]) -> None:
    recipe["rows"] = {"alone": "source_only", "more": {"source_only": {}, "training": {"epochs": 3}}}
    recipe["matrix"] = {
        "good": {},
        "gone": {"target.csv.path": str(tmp_path / "gone.csv")},
        "also good": {"split.seed": 1},
    }
    with pytest.raises(RunError) as caught:
        run_recipe(recipe, runs=tmp_path, quiet=True)
    assert "1 of 3 cells of small failed" in str(caught.value) and "gone: There is no file" in str(caught.value)
    assert isinstance(caught.value.__cause__, UsageError)
    assert [(tmp_path / "small" / cell / "results.json").exists() for cell in recipe["matrix"]] == [True, False, True]
    overview = (tmp_path / "small" / "report.html").read_text()
    assert all(cell in overview for cell in recipe["matrix"])
    tables[0].rename(tmp_path / "gone.csv")
    tables[0].symlink_to(tmp_path / "gone.csv")
    assert [folder.name for folder in run_recipe(recipe, runs=tmp_path, quiet=True)] == list(recipe["matrix"])


def test_a_run_folder_goes_on_as_its_own_recipe(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    folder = run(recipe, name="other", stages=["gap"])
    assert run_recipe(folder, stages=["teacher"], quiet=True) == [folder]
    assert (folder / "teachers").exists() and not (tmp_path / "runs" / "small").exists()


@pytest.mark.parametrize("name", ["a/b", "..", "", "x:y"])
def test_a_name_that_is_no_folder_is_told(recipe: Recipe, run: Run, name: str) -> None:
    with pytest.raises(UsageError, match="The name of the run becomes a folder"):
        run(recipe, name=name)
