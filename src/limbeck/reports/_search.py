"""What a search found: its students by cost and score, and the chosen one beside the recipe's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from limbeck.reports._canvas import ACCENT, INK, MUTED, Canvas, Chart, themed
from limbeck.reports._numbers import NONE, Measure, count, significant, size
from limbeck.reports._run import Json, Run

__all__ = ["Found", "Searched", "search_charts", "searched", "shown_cost", "shown_values", "spread"]

TITLES = {"bytes": "size", "multiply_adds": "multiply-adds", "latency": "ms a sample"}
AXES = {"bytes": "bytes", "multiply_adds": "multiply-adds", "latency": "milliseconds a sample"}


@dataclass(frozen=True)
class Found:
    """A student of the front, or the recipe's own: what differs from it, costs, scores; chosen or not."""

    title: str
    values: str
    costs: list[str]
    score: str
    seeds: str
    chosen: bool


@dataclass(frozen=True)
class Searched:
    """The section of a search. compared: (title, metric, difference, interval) on the target's test split."""

    why: str
    row: str
    validator: str
    metric: str
    costs: list[str]
    lines: list[Found]
    compared: list[tuple[str, str, str, str]]
    recipe: str | None


def searched(run: Run) -> Searched | None:
    """The lines of search.json; None where there was no search."""
    search = run.search
    if search is None:
        return None
    names = list(search["trials"][0]["costs"])
    metric, compared = _compared(search["comparison"])
    return Searched(
        search["why"],
        run.title(search["row"]),
        search["validator"].replace("_", " "),
        metric,
        [TITLES[name] for name in names],
        [_line(search, number, names) for number in dict.fromkeys([search["own"], *search["front"]])],
        compared,
        search["recipe"],
    )


def _line(search: Json, number: int, names: list[str]) -> Found:
    trial, own = search["trials"][number], search["trials"][search["own"]]
    scores: list[float] = next((e["scores"] for e in search["finalists"] if e["number"] == number), [])
    return Found(
        "the recipe's own" if number == search["own"] else f"trial {number}",
        shown_values(own["values"] if number == search["own"] else changed(trial["values"], own["values"])),
        [shown_cost(name, trial["costs"][name]) for name in names],
        significant(trial["score"], 4),
        spread(scores),
        number == search["chosen"],
    )


def changed(values: Json, own: Json) -> Json:
    """The values that are not the recipe's own."""
    return {place: value for place, value in values.items() if value != own[place]}


def shown_values(values: Json) -> str:
    """Values by the last words of their places, as many as tell them apart.

    >>> shown_values({"student.cnn.widths": [8, 16], "rows.a.distill.objectives.1.kl.temperature": 2.5})
    'widths [8, 16], temperature 2.5'
    """
    places = [place.split(".") for place in values]
    words = next(n for n in range(1, 99) if len({tuple(place[-n:]) for place in places}) == len(places))
    return ", ".join(
        f"{'.'.join(place[-words:])} {value}" for place, value in zip(places, values.values(), strict=True)
    )


def shown_cost(name: str, cost: float) -> str:
    """A cost in its unit.

    >>> shown_cost("bytes", 154664), shown_cost("multiply_adds", 1000), shown_cost("latency", 0.123)
    ('155 kB', '1,000', '0.12')
    """
    return {"bytes": size, "multiply_adds": count}.get(name, lambda value: significant(value, 2))(cost)


def spread(scores: list[float]) -> str:
    """Mean ± std over seeds; nothing where there is one."""
    if len(scores) < 2:
        return NONE
    return f"{significant(float(np.mean(scores)), 4)} ± {significant(float(np.std(scores, ddof=1)), 2)}"


def _compared(comparison: Json | None) -> tuple[str, list[tuple[str, str, str, str]]]:
    if comparison is None or not comparison["target_labels_known"]:
        return "", []
    measure, lines = Measure(comparison["metric"]), []
    for row in comparison["rows"]:
        versus = row["versus_baseline"]
        told = measure.difference(versus["difference"], versus["low"], versus["high"]) if versus else (NONE, "")
        lines.append((row["title"], measure.of(row["target"], len(row["seeds"])) + measure.unit, *told))
    return measure.title, lines


@themed
def search_charts(run: Run) -> list[Chart]:
    """One picture for each cost that was to be low: every student by what it costs and how it scores."""
    if run.search is None:
        return []
    return [Chart(f"score by {AXES[name]}", _draw(run.search, name)) for name in run.search["costs"]]


def _draw(search: Json, name: str) -> Markup:
    canvas = Canvas(f"search-{name.replace('_', '-')}", 420, 280)
    axes = canvas.axes(52, 10, 14, 44)
    trials = [trial for trial in search["trials"] if trial["score"] is not None]

    def points(chosen: list[Json]) -> Any:
        return np.array([(trial["costs"][name], trial["score"]) for trial in chosen], dtype=float).reshape(-1, 2).T

    for state, face in (("pruned", "none"), ("finished", MUTED)):
        shown = points([trial for trial in trials if trial["state"] == state])
        axes.plot(*shown, linestyle="", marker="o", markersize=5, markerfacecolor=face, markeredgecolor=MUTED)
    front = sorted((search["trials"][number] for number in search["front"]), key=lambda trial: trial["costs"][name])
    axes.plot(*points(front), color=ACCENT, linewidth=1.4)
    axes.plot(*points([search["trials"][search["own"]]]), linestyle="", marker="s", markersize=8, color=INK)
    if search["chosen"] is not None:
        chosen = points([search["trials"][search["chosen"]]])
        axes.plot(*chosen, linestyle="", marker="D", markersize=8, color=ACCENT, markeredgecolor=INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:,g}")
    axes.minorticks_off()
    axes.set_xlabel(AXES[name])
    axes.set_ylabel("score")
    return canvas.svg(f"Score by {AXES[name]} of {len(trials)} students, with the front of the best.")
