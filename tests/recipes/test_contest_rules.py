"""What a contest refuses, and how long it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from limbeck.core import UsageError
from limbeck.recipes import _contest, load_plans

Recipe = dict[str, Any]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": {"a": "auto", "b": "auto"}}, "rows.b: One row of a recipe can be chosen by a contest, and 'a' is."),
        ({"rows": {"a": "auto", "b": "source_only"}, "baseline": "a"}, "The row 'a' is still to be chosen"),
        (
            {"rows": {"a": "auto", "b": {"fine_tune": {}, "start": "a"}}},
            "must be a row above it, or a teacher. Got 'a'",
        ),
        (
            {"rows": {"b": "source_only", "c": {"fine_tune": {}, "start": "b"}, "a": "auto"}, "baseline": "c"},
            "A contest trains the baseline by itself, and 'c' has a 'start'.",
        ),
        ({"auto": {"budget": 0}}, "The 'budget' of auto must be > 0. Got 0."),
        ({"rows": {"a": "auto"}, "auto": {"source_free": True}, "teacher": None}, "learns from a teacher"),
        (
            {"rows": {"b": "source_only", "a": "auto"}, "auto": {"source_free": True}},
            "and 'b' does: name a row of dine",
        ),
    ],
)
def test_what_cannot_be_chosen_is_told(recipe: Recipe, changes: Recipe, said: str) -> None:
    if changes.get("teacher", 1) is None:
        del recipe["teacher"]
    recipe |= {key: value for key, value in changes.items() if value is not None}
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    assert said in str(caught.value)


@pytest.mark.parametrize(("seconds", "least", "timed"), [([0.9, 0.01, 0.5], 0.01, 3), ([2.0, 0.01], 2.0, 1)])
def test_one_slow_epoch_does_not_shorten_a_contest(
    recipe: Recipe,
    run: Callable[..., Path],
    tables: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    seconds: list[float],
    least: float,
    timed: int,
) -> None:
    frame, trained, train = pd.read_csv(tables[1]), [], _contest.train_student
    frame.assign(dose=frame["dose"] + 3).to_csv(tables[1], index=False)
    del recipe["rows"]
    recipe["gap"]["settings"]["permutations"] = 99

    def slowly(context: Any, name: str, *more: Any) -> dict[str, Any]:
        done = train(context, name, *more)
        trained.append(name)
        return done | {"seconds": seconds[len(trained) - 1] if name.startswith("one_epoch") else 0.0}

    monkeypatch.setattr(_contest, "train_student", slowly)
    folder = run(recipe, stages=["gap", "teacher", "contest"])
    measured = yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["contest"]
    assert measured["epoch_seconds"] == least
    assert sum(name.startswith("one_epoch") for name in trained) == timed
