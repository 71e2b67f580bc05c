"""The page over the cells of a matrix."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from limbeck.core import RunError, UsageError
from limbeck.reports import write_overview

CELLS = ["a-b", "b <a>", "unlabelled", "waiting"]


@pytest.fixture
def matrix(make_run: Callable[..., Path], tmp_path: Path) -> Path:
    """Two pairs with results and reports, one of an unlabelled target without a report, one that has not run."""
    for cell, settings in (("a-b", {}), ("b <a>", {"seeds": 2}), ("unlabelled", {"known": False})):
        shutil.copytree(make_run(**settings), tmp_path / cell)
    for cell in CELLS[:2]:
        (tmp_path / cell / "report.html").write_text("")
    (tmp_path / "waiting").mkdir()
    return tmp_path


def set_scores(folder: Path, baseline: float, selected: float, low: float) -> None:
    results = json.loads((folder / "results.json").read_text())
    for row in results["rows"]:
        if row["name"] in ("alone", "distilled_aligned"):
            mean = baseline if row["name"] == "alone" else selected
            row["target"]["accuracy"] = {"mean": mean, "std": 0.01}
        if row["versus_baseline"]:
            row["versus_baseline"] |= {"difference": low + 0.02, "low": low, "high": low + 0.04}
    (folder / "results.json").write_text(json.dumps(results))


def test_each_cell_has_its_line(matrix: Path, read_page) -> None:
    set_scores(matrix / "a-b", 0.80, 0.90, 0.08)
    set_scores(matrix / "b <a>", 0.70, 0.71, -0.01)
    page = read_page(write_overview(matrix, CELLS))
    assert not page.faults
    assert "Over 2 pairs, accuracy goes from 75.0 to 80.5 % on average; in 1 of them" in page.text
    assert "b <a> accuracy 70.0 ± 1.0 71.0 ± 1.0 distilled and aligned (MMD) +1.0 −1.0 to +3.0" in page.text
    assert "mean of 2 75.0 80.5 +5.5" in page.text
    assert "unlabelled accuracy on the source" in page.text
    assert "waiting – – – No results yet." in page.text


def test_links_lead_to_reports_that_exist(matrix: Path, read_page) -> None:
    page = read_page(write_overview(matrix, CELLS))
    assert [link["href"] for link in page.named("a")] == ["a-b/report.html", "b%20%3Ca%3E/report.html"]
    assert "://" not in page.source and not page.named("script")


def test_metrics_are_not_mixed(matrix: Path, make_run, read_page) -> None:
    shutil.copytree(make_run(regression=True), matrix / "values")
    page = read_page(write_overview(matrix, [*CELLS, "values"]))
    assert "4 of 5 pairs have results; in 3 of them the whole interval of the difference is a gain." in page.text
    assert "mean of" not in page.text


def test_a_smaller_error_is_a_gain(tmp_path: Path, make_run, read_page) -> None:
    for cell in ("one", "two"):
        shutil.copytree(make_run(regression=True), tmp_path / cell)
    assert "in 2 of them" in read_page(write_overview(tmp_path, ["one", "two"])).text


def test_nothing_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"no run of a-b, c-d in {tmp_path}"):
        write_overview(tmp_path, ["a-b", "c-d"])


def test_a_damaged_cell_is_named(matrix: Path) -> None:
    (matrix / "a-b" / "results.json").write_text("{")
    with pytest.raises(RunError, match=r"a-b/results\.json is damaged"):
        write_overview(matrix, CELLS)
