from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from limbeck.reports.ranking import ranking_table


def score(name: str, family: str, value: float, scaled: float | None) -> dict[str, Any]:
    place = None if scaled is None else {"value": scaled, "low": None, "high": None}
    return {"name": name, "family": family, "value": value, "scaled": place}


def entry(name: str, sure: bool) -> dict[str, Any]:
    scores = [
        score("leep", "transferability", -0.3, 1.0),
        score("nce", "transferability", -0.2, 0.5),
        score("logme", "transferability", -9.0, None),
        score("source_accuracy", "teacher", 0.971, 0.25),
    ]
    standing = {"combined": 0.66, "low": 0.59, "high": 0.74}
    return {"name": name, **standing, "verdict": "do not transfer", "sure": sure, "scores": scores}


def shown(labelled: int) -> list[str]:
    ranking = {
        "target": "photo",
        "labelled_per_class": labelled,
        "candidates": [entry("scan", True), entry("mnist", False)],
    }
    console = Console(width=160)
    with console.capture() as said:
        console.print(ranking_table(ranking))
    return said.get().splitlines()


@pytest.mark.parametrize(
    ("labelled", "title"), [(5, "labelled samples a class: 5"), (0, "no labels: pseudo-label forms")]
)
def test_the_title_says_what_the_scores_rest_on(labelled: int, title: str):
    assert f"candidates for photo, {title}" in shown(labelled)[0]


def test_a_line_a_candidate_with_the_mean_position_of_each_family():
    scan, mnist = (next(line for line in shown(5) if name in line) for name in ("scan", "mnist"))
    assert scan.split() == ["scan", "66", "[59,", "74]", "75", "–", "25", "97.1", "do", "not", "transfer"]
    assert mnist.rstrip().endswith("do not transfer, not sure")
