"""A run's students at work on new files, without the run's data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import UsageError
from limbeck.core.files import read_json, write_json
from limbeck.recipes import load_plans, load_student, predict_file, row_told, write_predictions
from limbeck.recipes._console import Console
from limbeck.recipes._context import open_context

Recipe = dict[str, Any]
Run = Callable[..., Path]
STAGES = ["teacher", "knowledge", "student", "evaluation"]


@pytest.fixture
def ran(recipe: Recipe, run: Run) -> Path:
    return run(recipe | {"seeds": 2}, stages=STAGES)


def test_test_rows_get_what_the_evaluation_saw(
    recipe: Recipe, ran: Path, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    (plan,) = load_plans(recipe)
    target = open_context(plan, tmp_path / "again", Console(quiet=True)).target
    results = read_json(ran / "results.json")
    predicted = predict_file(ran, tables[1])
    assert len(predicted) == len(pd.read_csv(tables[1]))
    with np.load(ran / "students" / "distilled" / "0" / "predictions.npz") as kept:
        wanted = torch.from_numpy(kept["target_logits"]).softmax(1).numpy()
    found = predicted.iloc[target.splits["test"]]
    np.testing.assert_allclose(found[["p(no)", "p(yes)"]].to_numpy(), wanted, atol=1e-6)
    assert results["seeds"] == [0, 1]
    right = (found["prediction"] == pd.read_csv(tables[1])["sick"].iloc[target.splits["test"]]).mean()
    (row,) = (row for row in results["rows"] if row["name"] == "distilled")
    assert right == pytest.approx(row["seeds"][0]["target"]["accuracy"])


NORMALISING = """
from torch import nn

class Normalising(nn.Module):
    def __init__(self, inputs: int = 4, outputs: int = 2):
        super().__init__()
        self.body = nn.Sequential(nn.LazyLinear(8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        self.top = nn.Linear(8, outputs)

    def forward(self, inputs):
        return self.top(self.body(inputs))
"""


def test_the_network_is_in_evaluation_mode_and_using_it_changes_nothing(
    recipe: Recipe, run: Run, tables: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_normalising.py").write_text(NORMALISING)
    monkeypatch.syspath_prepend(tmp_path)
    recipe["student"] = "own_normalising:Normalising"
    student = load_student(run(recipe, stages=["teacher", "knowledge", "student"]), "alone")
    raw = pd.read_csv(tables[1])
    before, inputs = student.predict(raw), student.preprocessing.transform(raw)
    assert not any(module.training for module in student.network.modules())
    student.network(inputs + 5)
    said = student.network(inputs).logits.detach().softmax(1)
    np.testing.assert_allclose(said[:, 0].numpy(), before["p(no)"], atol=1e-6)
    assert student.predict(raw).equals(before)


@pytest.mark.parametrize(("difference", "told"), [(-0.2, True), (0.2, False)])
def test_a_row_that_the_test_advised_against_is_told(ran: Path, difference: float, told: bool) -> None:
    results = read_json(ran / "results.json")
    assert results["higher_is_better"] and results["selected"] == "distilled"
    for row in results["rows"]:
        if row["name"] == "distilled":
            row["versus_baseline"] |= {"difference": difference, "p_value": 0.001}
    write_json(ran / "results.json", results)
    assert ("did worse on the test split than alone: `--row alone` takes that" in row_told(ran)) is told
    assert row_told(ran).startswith("distilled") and row_told(ran, "alone") == "alone"


def test_predictions_are_written_as_csv_alone(ran: Path, tables: tuple[Path, Path], tmp_path: Path) -> None:
    assert write_predictions(tmp_path / "p.csv", ran, tables[0]) == len(pd.read_csv(tmp_path / "p.csv"))
    with pytest.raises(UsageError, match=r"written as CSV, and .*p.parquet ends in .parquet: name a .csv file"):
        write_predictions(tmp_path / "p.parquet", ran, tables[0])
    assert not (tmp_path / "p.parquet").exists()


def test_predictions_keep_the_order_of_the_rows_and_sum_to_one(
    ran: Path, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    frame = pd.read_csv(tables[1]).drop(columns=["sick", "only_far"]).assign(only_near=0.0)
    frame.iloc[::-1].to_csv(tmp_path / "new.csv", index=False)
    frame.to_parquet(tmp_path / "new.parquet")
    backwards, forwards = (predict_file(ran, tmp_path / name) for name in ("new.csv", "new.parquet"))
    pd.testing.assert_frame_equal(backwards.iloc[::-1].reset_index(drop=True), forwards, atol=1e-6)
    shares = forwards.filter(like="p(").to_numpy()
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert [("no", "yes")[i] for i in shares.argmax(1)] == forwards["prediction"].tolist()


def test_rows_and_seeds_can_be_named(ran: Path, tables: tuple[Path, Path]) -> None:
    given = [predict_file(ran, tables[0], row, seed) for row in ("alone", "upper_bound") for seed in (0, 1)]
    for i, one in enumerate(given):
        assert all(not one.equals(other) for other in given[i + 1 :])
    assert given[0].equals(predict_file(ran, tables[0], "alone"))
    assert load_student(ran).row == "distilled"  # the only one beside the baseline


@pytest.mark.parametrize(
    ("row", "seed", "said"),
    [
        ("distiled", None, "has no trained row 'distiled'. Did you mean 'distilled'?"),
        ("alone", 7, "has no seed 7. It has: 0, 1."),
    ],
)
def test_a_row_or_seed_that_is_not_there_is_told(ran: Path, tables: Any, row: str, seed: int | None, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        predict_file(ran, tables[0], row, seed)
    assert said in str(caught.value)


def test_a_missing_column_is_told(ran: Path, tables: tuple[Path, Path], tmp_path: Path) -> None:
    frame = pd.read_csv(tables[0]).rename(columns={"dose": "dosis"})
    frame.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UsageError, match=r"lacks 'dose', which the student reads. Did you mean 'dosis'"):
        predict_file(ran, tmp_path / "new.csv")


def test_the_data_and_their_variable_may_be_gone(
    recipe: Recipe, run: Run, tables: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMBECK_DATA", str(tmp_path))
    recipe["source"]["csv"]["path"] = "$LIMBECK_DATA/near.csv"
    folder = run(recipe, stages=STAGES)
    monkeypatch.delenv("LIMBECK_DATA")
    shutil.move(tables[1], tmp_path / "elsewhere.csv")
    tables[0].unlink()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert len(predict_file(folder, tmp_path / "elsewhere.csv", "alone")) == 70


def test_every_kind_of_row_can_be_loaded(recipe: Recipe, run: Run, tables: tuple[Path, Path]) -> None:
    recipe["rows"] = {
        "alone": "source_only",
        "tuned": {"fine_tune": {"freeze": 0.5}, "start": "alone"},
        "probed": {"feature_extract": {"head": "mlp", "hidden": 3}, "start": "tuned"},
        "of_teacher": {"feature_extract": {}, "start": "teacher"},
        "other": {"source_only": {}, "student": {"mlp": {"hidden": [3, 3]}}},
    }
    recipe["training"]["epochs"] = 1
    folder = run(recipe, stages=["teacher", "student"])
    for row in recipe["rows"]:
        student = load_student(folder, row)
        with np.load(folder / "students" / row / "0" / "predictions.npz") as kept:
            assert kept["parameters"] == sum(p.numel() for p in student.network.network.parameters())
        assert len(student.predict(student.preprocessing.read(tables[0]))) == 80
    with pytest.raises(
        UsageError, match=r"is not evaluated, so no row is selected: name one with --row. Known: alone, of"
    ):
        load_student(folder)


def test_what_is_no_finished_run_is_told(recipe: Recipe, run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no run folder. There is no recipe.yaml"):
        load_student(tmp_path)
    folder = run(recipe, stages=["gap"])
    with pytest.raises(UsageError, match="has no trained row yet"):
        load_student(folder)
    with pytest.raises(UsageError, match=r"It holds the runs of a matrix: .*small"):
        load_student(folder.parent)


@pytest.mark.parametrize("shape", [(4,), (6, 6), (3, 6, 6)])
def test_arrays_are_predicted_from_their_files(
    run: Run, recipe: Recipe, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    random = np.random.default_rng(0)
    inputs, labels = random.normal(size=(60, *shape)), np.arange(60) % 2
    np.savez(tmp_path / "x.npz", inputs=inputs, labels=labels)
    np.save(tmp_path / "x.npy", inputs)
    data = {"arrays": {"path": str(tmp_path / "x.npz")}}
    recipe |= {"source": data, "target": data, "rows": {"alone": "source_only"}, "teachers": {}}
    del recipe["teacher"]
    folder = run(recipe, stages=["student"])
    first, second = (predict_file(folder, tmp_path / name) for name in ("x.npz", "x.npy"))
    assert first.equals(second) and len(first) == 60
    few = load_student(folder).predict(inputs[:5])
    np.testing.assert_allclose(few.filter(like="p("), first.filter(like="p(").iloc[:5], atol=1e-6)


def test_values_are_in_the_users_unit(recipe: Recipe, run: Run, tables: tuple[Path, Path]) -> None:
    for path in tables:
        frame = pd.read_csv(path)
        frame.assign(price=1000 + 100 * frame["price"]).to_csv(path, index=False)
    for side in ("source", "target"):
        recipe[side]["csv"] |= {"label": "price", "drop": ["sick"]}
    recipe |= {"rows": {"alone": "source_only"}, "teachers": {}, "split": {}}
    del recipe["teacher"]
    predicted = predict_file(run(recipe, stages=["student"]), tables[0])
    assert predicted.columns.tolist() == ["prediction"]
    assert predicted["prediction"].between(500, 1800).all()
