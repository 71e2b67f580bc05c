"""Every validator of the room can choose the checkpoints of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.evaluation import ALL_VALIDATORS, VALIDATORS
from limbeck.recipes import load_plans

Recipe = dict[str, Any]


MORE = sorted(ALL_VALIDATORS.keys() - VALIDATORS.keys())
"""Those that read more than the answers."""


def test_each_can_choose_the_checkpoint_of_a_row_and_one_the_row(recipe: Recipe, run: Callable[..., Path]) -> None:
    row = {"distill": {"objectives": ["cross_entropy"]}}
    recipe["validator"], recipe["training"]["epochs"] = "mixval", 3
    recipe["rows"] = {"alone": "source_only"} | {f"by_{name}": {**row, "validator": name} for name in MORE}
    folder = run(recipe)
    results = read_json(folder / "results.json")
    assert results["validator"] == "mixval" and results["selected"] in recipe["rows"]
    chosen_by = {"alone": "mixval"} | {f"by_{name}": name for name in MORE}
    for name, by in chosen_by.items():
        done = read_json(folder / f"students/{name}/0/done.json")
        history = np.load(folder / f"students/{name}/0/history.npz")
        scores = history[f"validator/{by}"]
        assert len(scores) == 3 and done["chosen"] == scores.argmax()
        assert np.isfinite(history["validator/mixval"]).all()


@pytest.mark.parametrize("name", ["dev", "reverse_validation", "source_validation"])
def test_what_reads_the_source_chooses_nothing_that_may_not(recipe: Recipe, name: str) -> None:
    recipe["rows"]["free"] = {"shot": {}, "start": "teacher", "validator": name}
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    assert f"It may see no sample of the source, which {name} reads" in str(caught.value)


def test_a_validator_that_is_not_there_is_told(recipe: Recipe) -> None:
    recipe["validator"] = "class_ammi"
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    assert "Did you mean 'class_ami'?" in str(caught.value)
