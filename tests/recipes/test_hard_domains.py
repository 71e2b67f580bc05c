"""Domains that do not fit: each is told in a sentence, or run to its end with a note, and never with a NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.core import LimbeckError, UsageError
from limbeck.core.files import read_json
from limbeck.recipes import rank_recipe, run_recipe

Recipe = dict[str, Any]
Make = Callable[..., Recipe]
TRAINING = {"epochs": 2, "batch_size": 16, "learning_rate": 0.03, "precision": "fp32", "layout": "contiguous"}
GAP = {"distances": ["coral"], "settings": {"samples": 60, "resamples": 20, "repeats": 20, "permutations": 19}}


def table(seed: int, rows: int = 90, classes: str = "yn", columns: int = 4) -> pd.DataFrame:
    """Classes that lie apart along a column each."""
    random, number = np.random.default_rng(seed), np.arange(rows) % len(classes)
    frame = pd.DataFrame({f"x{place}": random.normal(size=rows) for place in range(columns)})
    for place in range(len(classes)):
        frame[f"x{place % columns}"] += 3 * (number == place)
    return frame.assign(sick=[classes[place] for place in number])


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A recipe for these two tables; with `candidates`, one to rank."""

    def made(source: pd.DataFrame, target: pd.DataFrame, rank: bool = False, **more: Any) -> Recipe:
        for name, frame in (("source", source), ("target", target)):
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        near, far = ({"csv": {"path": str(tmp_path / f"{n}.csv"), "label": "sick"}} for n in ("source", "target"))
        sides = (
            {"candidates": {"near": near}} if rank else {"source": near, "rows": {"alone": "source_only"}, "seeds": 1}
        )
        return {
            "name": "hard",
            **sides,
            "target": far,
            "student": {"mlp": {"hidden": [4]}},
            "training": {**TRAINING, "compile": False},
            "gap": {"settings": GAP["settings"]} if rank else GAP,
            **more,
        }

    return made


def ran(recipe: Recipe, folder: Path) -> tuple[Recipe, Recipe, str]:
    """gap.json, results.json and the notes on the target."""
    (run,) = run_recipe(recipe, runs=folder / "runs", stages=["teacher", "gap", "student", "evaluation"], quiet=True)
    notes = read_json(run / "domains.json")["target"]["notes"]
    return read_json(run / "gap.json"), read_json(run / "results.json"), " ".join(notes)


def ranked(recipe: Recipe, folder: Path) -> Recipe:
    ranking = read_json(rank_recipe(recipe, runs=folder / "runs", quiet=True) / "rank.json")
    return dict(ranking["candidates"][0])


@pytest.mark.parametrize(
    ("ours", "theirs", "rule", "said"),
    [
        ("yn", "ab", "same", "share no class: source has 'n', 'y', target has 'a', 'b'"),
        ("yn", "ab", "shared", "share no class"),
        ("yn", "ynm", "same", "open-set transfer: only target has 'm'"),
        ("ynm", "yn", "same", "partial transfer: only source has 'm'"),
        ("yna", "ynb", "same", "partial and open-set transfer"),
    ],
)
def test_other_label_spaces_are_named(make: Make, tmp_path: Path, ours: str, theirs: str, rule: str, said: str) -> None:
    source, target = table(0, classes=ours), table(1, classes=theirs)
    with pytest.raises(UsageError, match=said):
        ran(make(source, target, classes=rule), tmp_path)
    with pytest.raises(LimbeckError, match=said):
        ranked(make(source, target, rank=True, classes=rule), tmp_path)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_target_of_a_sample_or_two_is_refused(make: Make, tmp_path: Path, rows: int) -> None:
    said = f"target target has {rows} rows?, and at least 3 are needed"
    with pytest.raises(UsageError, match=said):
        ran(make(table(0), table(1).iloc[:rows]), tmp_path)
    with pytest.raises(LimbeckError, match=said):
        ranked(make(table(0), table(1).iloc[:rows], rank=True), tmp_path)


def test_a_target_with_a_single_class(make: Make, tmp_path: Path) -> None:
    single = table(1, 120).query("sick == 'y'")
    _, results, notes = ran(make(table(0), single, classes="source"), tmp_path)
    assert "Partial transfer: no row is of n" in notes and "Every label is y" in notes
    assert results["rows"][0]["target"]["accuracy"]["mean"] is not None
    entry = ranked(make(table(0), single, rank=True, classes="source", split={"labelled": 4}), tmp_path)
    found = [s["name"] for s in entry["scores"] if s["family"] == "transferability"]
    assert found == ["target_accuracy", "expected_accuracy"]


def test_a_domain_and_itself_have_no_gap(make: Make, tmp_path: Path) -> None:
    gap, _, _ = ran(make(table(0), table(0)), tmp_path)
    assert "No difference between source and target can be shown" in gap["sentence"]
    assert "No gap has to be closed: plain distillation is enough." in gap["sentence"]
    shifted = ran({**make(table(0), table(0).assign(x1=9.0)), "name": "other"}, tmp_path)[0]
    assert "plain distillation" not in shifted["sentence"]


@pytest.mark.parametrize(("columns", "note"), [(2, "Column 'x2' is not here"), (6, "Column 'x4' is not in the source")])
def test_features_of_other_width_are_aligned_by_name(make: Make, tmp_path: Path, columns: int, note: str) -> None:
    assert note in ran(make(table(0), table(1, columns=columns)), tmp_path)[2]


def test_a_target_without_most_values_or_all(make: Make, tmp_path: Path) -> None:
    frame = table(1)
    gaps = frame.drop(columns="sick").mask(np.random.default_rng(0).random((90, 4)) < 0.85).assign(x3=np.nan)
    recipe = make(table(0), gaps.assign(sick=frame["sick"]))
    _, results, notes = ran(recipe, tmp_path)
    assert "Column 'x3' is empty here" in notes and "of the values are missing" in notes
    assert results["rows"][0]["target"]["accuracy"]["mean"] is not None
    assert ranked(make(table(0), gaps.assign(sick=frame["sick"]), rank=True), tmp_path)["verdict"]
    empty = make(table(0), (gaps * np.nan).assign(sick=frame["sick"]), rank=True)
    with pytest.raises(LimbeckError, match="nothing can be learnt from target by itself"):
        rank_recipe({**empty, "name": "empty"}, runs=tmp_path / "runs", quiet=True)


def test_images_of_another_size_and_of_a_single_class(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    source = {"inputs": random.random((60, 8, 8), dtype=np.float32), "labels": ["a", "b"] * 30}
    target = {"inputs": random.random((40, 10, 12), dtype=np.float32), "labels": ["b"] * 40}
    recipe = {
        "name": "images",
        "source": {"arrays": source},
        "target": {"arrays": target},
        "classes": "source",
        "student": {"cnn": {"widths": [4], "hidden": 4}},
        "rows": {"alone": "source_only"},
        "seeds": 1,
        "training": {**TRAINING, "compile": False},
        "gap": GAP,
    }
    _, results, notes = ran(recipe, tmp_path)
    assert "Every label is b" in notes and np.isfinite(results["rows"][0]["target"]["accuracy"]["mean"])
