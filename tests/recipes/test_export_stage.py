"""From a run to an exported folder, by the recipe or afterwards, and back to predictions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.export import is_export, read_manifest
from limbeck.recipes import export_run, load_plans, predict_file, run_recipe

Recipe = dict[str, Any]
Run = Callable[..., Path]
PYTORCH = "torch_export"


@pytest.fixture
def quick(recipe: Recipe) -> Recipe:
    """Two students and no teacher."""
    del recipe["teacher"]
    rows = {"alone": "source_only", "longer": {"source_only": {}, "training": {"epochs": 3}}}
    return recipe | {"rows": rows, "export": PYTORCH, "seeds": [3, 5]}


def test_a_recipe_exports_the_chosen_row(
    quick: Recipe, run: Run, tables: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(quick)
    manifest = read_manifest(folder / "export")
    assert [manifest[key] for key in ("name", "row", "seed")] == ["small", "longer", 3]
    assert manifest["models"][0]["parity"]["samples"] == read_json(folder / "domains.json")["target"]["splits"]["test"]
    found, wanted = (predict_file(path, tables[1]) for path in (folder / "export", folder))
    assert found["prediction"].tolist() == wanted["prediction"].tolist()
    np.testing.assert_allclose(found.filter(like="p("), wanted.filter(like="p("), atol=1e-5)
    before = (folder / "export" / "export.json").stat().st_mtime_ns
    run(quick)
    assert (folder / "export" / "export.json").stat().st_mtime_ns == before, "it is there already"
    purposes = {opening["purpose"] for opening in read_json(folder / "results.json")["openings"]}
    assert not [purpose for purpose in purposes if "export" in purpose], "no label is opened for it"
    run(quick, fresh=True, stages=["gap"])
    assert not (folder / "export").exists()


def test_the_card_tells_what_the_run_measured(quick: Recipe, run: Run) -> None:
    folder = run(quick)
    card, results = read_json(folder / "export" / "card.json"), read_json(folder / "results.json")
    (row,) = (row for row in results["rows"] if row["name"] == "longer")
    accuracy = card["metrics"]["accuracy"]
    assert {key: accuracy[key] for key in ("mean", "std")} == row["target"]["accuracy"]
    assert accuracy["exported"] == row["seeds"][0]["target"]["accuracy"]
    assert card["gap"] == read_json(folder / "gap.json")["sentence"] and card["verdict"] == results["verdict"]
    text = (folder / "export" / "card.md").read_text("utf-8")
    for word in ("small: longer", "near, 80 samples", "far, 70 samples", card["gap"], "model.pt2", "Weakest class"):
        assert word in text


@pytest.mark.extra("onnx")
def test_another_row_seed_folder_and_format(quick: Recipe, run: Run, tables: tuple[Path, Path], tmp_path: Path) -> None:
    folder = run(quick | {"export": []}, stages=["student"])
    tables[1].rename(tmp_path / "new.csv")  # neither the run's data nor its evaluation are needed
    out = export_run(folder, "alone", 5, [PYTORCH, "onnx"], tmp_path / "out", tmp_path / "new.csv")
    assert out == tmp_path / "out" and not is_export(folder / "export")
    manifest = read_manifest(out)
    assert [manifest["row"], manifest["seed"]] == ["alone", 5]
    assert [model["file"] for model in manifest["models"]] == ["model.pt2", "model.onnx"]
    wanted = predict_file(folder, tmp_path / "new.csv", "alone", 5)
    shutil.rmtree(folder)
    found = predict_file(out, tmp_path / "new.csv")
    np.testing.assert_allclose(found.filter(like="p("), wanted.filter(like="p("), atol=1e-5)
    card = read_json(out / "card.json")
    assert card["metrics"] is None and "It was not measured how right it is" in card["limits"][0]
    with pytest.raises(UsageError, match="leave out --row and --seed"):
        predict_file(out, tmp_path / "new.csv", "alone")


@pytest.mark.slow
@pytest.mark.extra("onnx")
def test_the_compressed_student_leaves_the_run(
    recipe: Recipe, run: Run, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    steps = [{"prune": {"amount": 0.5}, "training": {"epochs": 1}}, "quantise"]
    recipe["student"] = {"mlp": {"hidden": [8]}}
    recipe["rows"] = {"alone": "source_only", "distilled": {**recipe["rows"]["distilled"], "compress": steps}}
    folder = run(recipe | {"export": "onnx", "validator": "entropy"})
    small = folder / "students/distilled/0/compressed/2-quantise"
    chosen = read_json(folder / "results.json")["selected"]
    if chosen != "distilled":
        export_run(folder, "distilled")
    manifest = read_manifest(folder / "export")
    assert [manifest["row"], manifest["step"]] == ["distilled", 2]
    assert (folder / "export/model.onnx").read_bytes() == (small / "model.onnx").read_bytes()
    parity = manifest["models"][0]["parity"]
    assert parity["difference"] > 1e-4 and parity["interval"][0] < parity["agreement"] <= parity["interval"][1]
    (chain,) = read_json(folder / "results.json")["compression"]
    card = read_json(folder / "export" / "card.json")
    assert card["metrics"]["accuracy"]["exported"] == chain["steps"][2]["seeds"][0]["target"]["accuracy"]
    assert "| 2-quantise |" in (folder / "export" / "card.md").read_text("utf-8")
    assert len(predict_file(folder / "export", tables[1])) == 70

    export_run(folder, "distilled", formats=[PYTORCH], out=tmp_path / "pruned", step=1)
    pruned = read_manifest(tmp_path / "pruned")
    assert pruned["step"] == 1 and pruned["models"][0]["parity"]["difference"] < 1e-4
    export_run(folder, "distilled", formats=[PYTORCH], out=tmp_path / "whole", step=0)
    assert read_json(tmp_path / "whole" / "card.json")["compression"] is None
    wanted = predict_file(folder, tables[1], "distilled")
    np.testing.assert_allclose(
        predict_file(tmp_path / "whole", tables[1]).filter(like="p("), wanted.filter(like="p("), atol=1e-5
    )
    for more, said in (
        ({"step": 3}, "has 2 steps of compression \\(1-prune, 2-quantise\\). Got 3"),
        ({"formats": [PYTORCH]}, "is the file model.onnx, so model.pt2 cannot be made of it: .* --step 1"),
    ):
        with pytest.raises(UsageError, match=said):
            export_run(folder, "distilled", **more)


def test_what_cannot_be_exported_is_told(quick: Recipe, run: Run, tables: tuple[Path, Path], tmp_path: Path) -> None:
    folder = run(quick | {"export": []}, stages=["student"])
    for arguments, said in (
        ((folder,), "is not evaluated, so no row is selected"),
        ((folder, "alon"), "Did you mean 'alone'"),
        ((folder, "alone", 4), "has no seed 4"),
        ((folder, "alone", 3, ["onx"]), "There is no export format 'onx'. Did you mean 'onnx'"),
        ((folder, "alone", 3, []), "must be one or more of the room export"),
        ((tmp_path,), "is no run folder"),
    ):
        with pytest.raises(UsageError, match=said):
            export_run(*arguments)
    tables[1].unlink()
    with pytest.raises(UsageError, match=r"There is no file .*far.csv.*\n.*--samples FILE names others"):
        export_run(folder, "alone", 3, [PYTORCH])
    assert not is_export(folder / "export")


def test_settings_of_a_format_are_read(quick: Recipe) -> None:
    (plan,) = load_plans(quick | {"export": [{PYTORCH: {"tolerance": 1e-3}}]})
    (form,) = plan.make("export")
    assert form.tolerance == 1e-3
    with pytest.raises(UsageError, match=r"The 'tolerance' of torch_export must be > 0"):
        load_plans(quick | {"export": [{PYTORCH: {"tolerance": 0}}]})
    with pytest.raises(UsageError, match=r"export\[0\]: There is no export format 'onxx'"):
        load_plans(quick | {"export": "onxx"})


def test_a_network_from_python_is_exported_in_its_run(quick: Recipe, tables: tuple[Path, Path], tmp_path: Path) -> None:
    from torch import nn

    frame = pd.read_csv(tables[0])[["age", "dose"]]
    arrays = frame.fillna(50).to_numpy(), pd.read_csv(tables[0])["sick"].to_numpy()
    data = {"arrays": {"inputs": arrays[0], "labels": arrays[1]}}
    student = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2))
    recipe = quick | {"source": data, "target": data, "student": student, "seeds": 1}
    (folder,) = run_recipe(recipe, runs=tmp_path / "runs", quiet=True)
    assert read_manifest(folder / "export")["shape"] == [2]
