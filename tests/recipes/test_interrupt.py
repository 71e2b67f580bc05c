"""A run that is stopped or killed in the middle goes on, and ends as if it never had been."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from stopped_command import stopped

from limbeck.core.files import read_json

Recipe = dict[str, Any]


SELDOM = ["training.checkpoint_seconds=60"]
"""Of a run that nothing stops."""


def test_a_killed_and_a_stopped_run_go_on_to_the_same_end(
    recipe: Recipe, run: Callable[..., Path], tmp_path: Path
) -> None:
    recipe["rows"] = {"alone": "source_only", "upper_bound": "target_only"}
    recipe["training"] |= {"epochs": 100, "evaluate_every": 5, "checkpoint_seconds": 0.02}
    path, runs = tmp_path / "small.yaml", tmp_path / "runs"
    path.write_text(yaml.safe_dump(recipe))
    folder = runs / "small"

    code, _ = stopped(path, runs, folder / "teachers" / "teacher" / "0" / "checkpoint.pt", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (folder / "teachers" / "teacher" / "0" / "done.json").exists()

    code, said = stopped(path, runs, folder / "students" / "alone" / "0" / "checkpoint.pt", signal.SIGINT)
    assert code == 1 and "Traceback" not in said
    assert said.strip().splitlines()[-1] == "limbeck: Stopped. The same command goes on from here."
    assert not (folder / "students" / "alone" / "0" / "done.json").exists()
    assert [path.name for path in folder.rglob(".*")] == [".lock"]  # no half-written file

    run(path)
    whole = run(path, name="whole", overrides=SELDOM)
    weights = sorted(whole.rglob("weights.safetensors"))
    assert len(weights) == 3
    for one in weights:
        assert one.read_bytes() == (folder / one.relative_to(whole)).read_bytes(), one
    for one in whole.rglob("history.npz"):
        with np.load(one) as mine, np.load(folder / one.relative_to(whole)) as theirs:
            assert all((mine[name] == theirs[name]).all() for name in mine.files)
    steps = [
        [line.split(",")[0] for line in (place / "students/alone/0/log.jsonl").read_text().splitlines()]
        for place in (whole, folder)
    ]
    assert steps[0] == steps[1]
    mine, theirs = (read_json(place / "results.json") for place in (whole, folder))
    assert [row["target"] for row in mine["rows"]] == [row["target"] for row in theirs["rows"]]
    assert [entry["split"] for entry in theirs["openings"]] == ["train", "selection", "test", "selection"]


@pytest.mark.slow
def test_a_run_that_is_killed_in_its_contest_chooses_the_same(
    recipe: Recipe, run: Callable[..., Path], tmp_path: Path
) -> None:
    """What was trained is not trained again, and the candidate in the middle goes on."""
    frame = pd.read_csv(recipe["target"]["csv"]["path"])
    frame.assign(dose=frame["dose"] + 3).to_csv(recipe["target"]["csv"]["path"], index=False)
    del recipe["rows"]
    recipe["gap"]["settings"]["permutations"] = 99
    recipe["training"] |= {"epochs": 20, "evaluate_every": 10, "checkpoint_seconds": 0.02, "compile": False}
    recipe["auto"] = {"budget": 600}  # on a machine of any speed all epochs fit
    path, runs = tmp_path / "small.yaml", tmp_path / "runs"
    path.write_text(yaml.safe_dump(recipe))
    contest = runs / "small" / "contest"

    code, _ = stopped(path, runs, contest / "alone" / "0" / "checkpoint.pt", signal.SIGKILL)
    assert code == -signal.SIGKILL
    before = {done.parent.parent.name: done.stat().st_mtime_ns for done in contest.glob("*/0/done.json")}
    assert "one_epoch_0" in before

    stages = ["teacher", "gap", "contest"]
    folder, whole = run(path, stages=stages), run(path, name="whole", stages=stages, overrides=SELDOM)
    assert all((contest / name / "0" / "done.json").stat().st_mtime_ns == when for name, when in before.items())
    mine, theirs = (yaml.safe_load((place / "recipe.yaml").read_text())["choices"]["auto"] for place in (folder, whole))
    assert mine["candidates"] == theirs["candidates"] and mine["epochs"] == 20
    assert mine["winner"] == theirs["winner"] and not mine["left_out"]
