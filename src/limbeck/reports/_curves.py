"""Learning curves: what the logs say of each row, over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter

from limbeck.reports._canvas import DASHES, INK, SERIES, Canvas, Chart, themed
from limbeck.reports._run import Log, Run

__all__ = ["Key", "adaptation_charts", "adapting", "collapses", "curve_charts", "legend"]

WIDE = 30
"""Losses whose largest is so many times the smallest are drawn on a logarithmic scale."""


ADAPTATION = {
    "gap": ("gap in the features", "MMD² of source and target, 0 where they are alike"),
    "probe": ("domains told apart by a probe", "accuracy, 0.5 is chance"),
    "discriminator": ("domains told apart by its own discriminator", "accuracy, 0.5 is chance"),
    "balance": ("classes off balance", "shares predicted to shares estimated, 0 to 1"),
    "largest": ("share of the class predicted most", "near 1 one class swallows the others"),
    "entropy": ("entropy of the predictions", "mean over the target, in nats"),
}
"""What an adaptive training tells of itself at each evaluation: its name in the log → its title and a note."""


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


def adapting(run: Run) -> list[Key]:
    """The legend of the rows that tell how they adapted."""
    return [key for key, row in zip(legend(run), _ordered(run), strict=True) if _diagnosed(run, row)]


def collapses(run: Run) -> list[str]:
    """What was done about each training that collapsed."""
    return [
        f"{row['title']}, seed {seed['seed']}: {seed['collapse']}"
        for row in run.rows
        for seed in row["seeds"]
        if seed.get("collapse")
    ]


@themed
def adaptation_charts(run: Run) -> list[Chart]:
    """What the rows that learn from the target told of themselves at each evaluation."""
    charts = []
    for name, (title, note) in ADAPTATION.items():
        found = [_curve(run, row, place, (f"diagnostics/{name}",)) for place, row in enumerate(_ordered(run))]
        curves = [curve for curve in found if curve is not None]
        if curves:
            charts.append(Chart(title, _draw(f"adapt-{name}", title, curves), note))
    return charts


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


def _diagnosed(run: Run, row: str) -> bool:
    return any(key.startswith("diagnostics/") for log in run.logs[row] for line in log for key in line)


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
        axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
