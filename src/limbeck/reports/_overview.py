"""The page over the cells of a matrix: one line for each pair of domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from limbeck.core import UsageError
from limbeck.core.files import write_text
from limbeck.reports._numbers import NONE, Measure, fixed
from limbeck.reports._page import render
from limbeck.reports._run import Json, baseline_of, read_results, selected_of, sentences

__all__ = ["write_overview"]


@dataclass(frozen=True)
class _Cell:
    """One pair; `sure` where the whole interval of the difference is a gain."""

    name: str
    link: str | None
    results: Json | None
    verdict: str
    baseline: str = NONE
    selected: str = NONE
    row: str = ""
    difference: str = NONE
    interval: str = ""
    sure: bool = False
    means: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Mean:
    """Over the cells that were compared: scores as they are printed."""

    measure: Measure
    cells: int
    baseline: str
    selected: str
    difference: str


def write_overview(folder: Path, cells: list[str]) -> Path:
    """Write `folder/report.html` over the run folders `folder/<cell>`, and return its path.

    A cell without results keeps its line and says so; it is linked where it has a report. Raises
    `UsageError` where no cell has a folder, and `RunError` naming a damaged file.
    """
    folder = Path(folder)
    if not any((folder / cell).is_dir() for cell in cells):
        raise UsageError(f"There is no run of {', '.join(cells) or 'any cell'} in {folder}. Run the recipe first.")
    lines = [_cell(folder, cell) for cell in cells]
    path = folder / "report.html"
    content = {
        "name": folder.resolve().name,
        "cells": lines,
        "done": sum(line.results is not None for line in lines),
        "sure": sum(line.sure for line in lines),
        "mean": _mean(lines),
    }
    write_text(path, render("overview.html.jinja", content))
    return path


def _cell(folder: Path, name: str) -> _Cell:
    link = f"{quote(name)}/report.html" if (folder / name / "report.html").exists() else None
    results = read_results(folder / name)
    if results is None:
        return _Cell(name, link, None, "No results yet.")
    baseline, selected, measure = baseline_of(results), selected_of(results), Measure(results["metric"])
    where = "target" if results["target_labels_known"] else "source"
    shown: Json = {"name": name, "link": link, "results": results, "verdict": sentences(results["verdict"])[0]}
    if baseline is not None:
        shown["baseline"] = measure.of(baseline[where], len(baseline["seeds"]))
    if selected is not None:
        shown |= {"selected": measure.of(selected[where], len(selected["seeds"])), "row": selected["title"]}
        shown |= _versus(results, measure, baseline, selected)
    return _Cell(**shown)


def _versus(results: Json, measure: Measure, baseline: Json | None, selected: Json) -> Json:
    versus = selected["versus_baseline"]
    if versus is None or baseline is None:
        return {}
    difference, interval = measure.difference(versus["difference"], versus["low"], versus["high"])
    means = tuple(row["target"][measure.name]["mean"] for row in (baseline, selected))
    sure = versus["low"] > 0 if results["higher_is_better"] else versus["high"] < 0
    return {"difference": difference, "interval": interval, "sure": sure, "means": means}


def _mean(cells: Sequence[_Cell]) -> _Mean | None:
    """The mean over the compared cells, where there are several and they share their metric."""
    compared = [cell for cell in cells if cell.means is not None and cell.results is not None]
    names = {cell.results["metric"] for cell in compared if cell.results is not None}
    if len(compared) < 2 or len(names) != 1:
        return None
    measure = Measure(names.pop())
    means = [sum(pair) / len(compared) for pair in zip(*(cell.means or () for cell in compared), strict=True)]
    change = measure.factor * (means[1] - means[0])
    digits = 1 if measure.percent else 3
    return _Mean(
        measure,
        len(compared),
        measure.value(means[0]),
        measure.value(means[1]),
        fixed(change, digits, sign=True),
    )
