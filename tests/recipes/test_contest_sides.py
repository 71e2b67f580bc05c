"""In a contest each candidate is judged on the source as its method shows it to the student."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from limbeck.core.files import read_json


def test_candidates_are_shown_the_source_in_their_own_way(
    recipe: dict[str, Any], run: Callable[..., Path], tables: tuple[Path, Path]
) -> None:
    """A map that fits the target alone would make them look as if they had not learnt the source."""
    frame = pd.read_csv(tables[1])
    numbers = frame.select_dtypes("float").columns
    frame.assign(**{name: 20 - 4 * frame[name] for name in numbers}).to_csv(tables[1], index=False)
    del recipe["rows"]
    recipe["gap"]["distances"], recipe["gap"]["settings"]["permutations"] = ["mmd"], 99
    folder = run(recipe, stages=["gap", "teacher", "contest"])
    choice = yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["auto"]
    found = {entry["name"]: entry["scores"] for entry in choice["candidates"]}
    for name in ("coral_map", "jda"):
        trained = folder / "contest" / name / "0"
        assert (trained / "source_side.safetensors").is_file()
        kept = read_json(trained / "done.json")["validators"]["source_validation"]
        assert found[name]["source_validation"] == pytest.approx(kept)
        assert kept > found["alone"]["source_validation"] - 0.15


@pytest.mark.slow
def test_a_baseline_with_two_encoders_is_shown_the_source_through_its_own(
    recipe: dict[str, Any], run: Callable[..., Path]
) -> None:
    terms = ["cross_entropy", {"align": {"distance": "mmd"}}]
    recipe["rows"] = {"mine": {"two_encoders": {"objectives": terms}}, "auto": "auto"}
    recipe["gap"]["distances"], recipe["gap"]["settings"]["permutations"] = ["mmd"], 99
    recipe["training"] = {"epochs": 6, "batch_size": 16, "precision": "fp32", "learning_rate": 0.02}
    folder = run(recipe, stages=["gap", "teacher", "contest"])
    choice = yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["auto"]
    found = {entry["name"]: entry["scores"] for entry in choice["candidates"]}
    kept = read_json(folder / "contest/mine/0/done.json")["validators"]["source_validation"]
    assert found["mine"]["source_validation"] == pytest.approx(kept)


def test_a_contest_of_closed_forms_alone_needs_no_time_an_epoch(
    recipe: dict[str, Any], run: Callable[..., Path], tables: tuple[Path, Path]
) -> None:
    frame = pd.read_csv(tables[1])
    frame.assign(dose=frame["dose"] + 3).to_csv(tables[1], index=False)
    recipe["rows"] = {"mine": "tca", "auto": "auto"}
    recipe |= {"augmentation": ["noise"], "teacher": {**recipe["teacher"], "method": "source_only"}}
    recipe["gap"]["settings"]["permutations"] = 99
    folder = run(recipe, stages=["gap", "teacher", "contest"])
    choice = yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["auto"]
    assert {entry["name"] for entry in choice["candidates"]} == {"mine", "coral_map", "jda", "kliep"}
