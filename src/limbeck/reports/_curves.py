"""Learning curves: what the logs say of each row, over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from limbeck.reports._canvas import DASHES, INK, SERIES, Canvas, Chart, themed
from limbeck.reports._run import Log, Run

__all__ = ["Key", "curve_charts", "legend"]

WIDE = 30
"""Losses whose largest is so many times the smallest are drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Key:
    """A line of the legend: a row, its colour (a CSS variable's number) and its dashes."""

    title: str
    colour: int
    dashes: str
    selected: bool


@dataclass(frozen=True)
class _Curve:
    place: int
    epochs: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    chosen: float | None
    selected: bool


def legend(run: Run) -> list[Key]:
    """The rows that have logs, in the order of their curves."""
    return [
        Key(run.title(row), place % len(SERIES), DASHES[place % len(DASHES)], run.is_selected(row))
        for place, row in enumerate(_ordered(run))
    ]


@themed
def curve_charts(run: Run) -> list[Chart]:
    """The loss, the source accuracy and the validator of every row, as far as the logs hold them."""
    charts = []
    for number, (title, keys) in enumerate(_quantities(run).items()):
        found = [_curve(run, row, place, keys) for place, row in enumerate(_ordered(run))]
        curves = [curve for curve in found if curve is not None]
        if curves:
            charts.append(Chart(title, _draw(f"curve{number}", title, curves)))
    return charts


def _ordered(run: Run) -> list[str]:
    """Rows with logs: in the order of the table, then those that are not in it."""
    named = [row["name"] for row in run.rows if row["name"] in run.logs]
    return named + [row for row in run.logs if row not in named]


def _quantities(run: Run) -> dict[str, tuple[str, ...]]:
    """What is drawn → the names that it may have in a log."""
    quantities: dict[str, tuple[str, ...]] = {"training loss": ("loss",)}
    validators = sorted({key for logs in run.logs.values() for log in logs for line in log for key in line})
    validators = [key for key in validators if key.startswith("validator/")]
    chosen = f"validator/{run.results['validator']}" if run.results else next(iter(validators), "")
    if chosen != "validator/source_validation":
        quantities["accuracy on the source"] = ("source_accuracy", "validator/source_validation")
    if chosen in validators:
        quantities[f"validator: {chosen.partition('/')[2].replace('_', ' ')}"] = (chosen,)
    return quantities


def _curve(run: Run, row: str, place: int, keys: Sequence[str]) -> _Curve | None:
    seeds = [found for log in run.logs[row] if (found := _values(log, keys))]
    if not seeds:
        return None
    epochs = sorted({epoch for seed in seeds for epoch in seed})
    values = [[seed[epoch] for seed in seeds if epoch in seed] for epoch in epochs]
    result = next((found for found in run.rows if found["name"] == row), None)
    kept = [seed["epoch"] for seed in result["seeds"] if seed["epoch"] is not None] if result else []
    return _Curve(
        place,
        np.array(epochs),
        np.array([np.mean(found) for found in values]),
        np.array([np.std(found, ddof=1) if len(found) > 1 else 0.0 for found in values]),
        float(np.median(kept)) if kept and keys[0].startswith("validator/") else None,
        run.is_selected(row),
    )


def _values(log: Log, keys: Sequence[str]) -> dict[int, float]:
    """Epoch → the last value that its lines give under the first of `keys` that they have."""
    values = {}
    for line in log:
        key = next((key for key in keys if line.get(key) is not None), None)
        if key is not None and "epoch" in line:
            values[line["epoch"]] = line[key]
    return values


def _draw(key: str, title: str, curves: Sequence[_Curve]) -> Markup:
    canvas = Canvas(key, 320, 230)
    axes = canvas.axes(46, 10, 10, 40)
    for curve in curves:
        colour, dashes = SERIES[curve.place % len(SERIES)], DASHES[curve.place % len(DASHES)]
        line = (0, tuple(float(length) for length in dashes.split())) if dashes else "-"
        axes.fill_between(
            curve.epochs, curve.mean - curve.spread, curve.mean + curve.spread, color=colour, alpha=0.13, linewidth=0
        )
        axes.plot(curve.epochs, curve.mean, color=colour, linestyle=line, linewidth=2.6 if curve.selected else 1.4)
        if curve.chosen is not None:
            height = float(np.interp(curve.chosen, curve.epochs, curve.mean))
            axes.plot([curve.chosen], [height], marker="o", markersize=5.5, color=colour, markeredgecolor=INK)
    _scale(axes, title, curves)
    axes.set_xlabel("epoch")
    return canvas.svg(f"Curves of the {title} over epochs, one line for each of {len(curves)} rows.")


def _scale(axes: Axes, title: str, curves: Sequence[_Curve]) -> None:
    values = np.concatenate([curve.mean for curve in curves])
    if title == "training loss" and values.min() > 0 and values.max() > WIDE * values.min():
        axes.set_yscale("log")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
