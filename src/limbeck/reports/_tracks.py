"""Dot plots drawn in percent of their width, so that they fit a phone and a page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from limbeck.reports._numbers import fixed
from limbeck.reports._run import Json, Run

__all__ = ["Forest", "Share", "Tick", "Track", "forest", "label_shares", "sizes"]


@dataclass(frozen=True)
class Tick:
    """A mark of the axis: where, in percent of the width, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Track:
    """One row: its mean, one standard deviation to both sides, and its seeds, in percent of the width."""

    title: str
    kind: str
    role: str
    text: str
    mean: float
    low: float
    high: float
    seeds: list[float]


@dataclass(frozen=True)
class Forest:
    """Rows on one axis; `baseline` is where the baseline's line stands."""

    where: str
    tracks: list[Track]
    ticks: list[Tick]
    baseline: float | None


@dataclass(frozen=True)
class Share:
    """A class's share of the source and, estimated, of the target; positions in percent of the width."""

    title: str
    source: float
    target: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    def at(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self, factor: float, most: int = 5) -> list[Tick]:
        low, high = factor * self.low, factor * self.high
        steps = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        digits = max(_places(step) for step in steps)
        return [Tick(self.at(step / factor), fixed(step, digits)) for step in steps if low <= step <= high]


def forest(run: Run) -> Forest | None:
    """The leading metric of every row; on the source where the target has no labels."""
    if run.results is None:
        return None
    where = "target" if run.results["target_labels_known"] else "source"
    name = run.results["metric"]
    spans = {row["name"]: _span(row, where, name) for row in run.rows}
    axis = _axis([value for span in spans.values() for value in span])
    baseline = None if run.baseline is None else axis.at(run.baseline[where][name]["mean"])
    tracks = []
    for row in run.rows:
        mean, low, high, *seeds = (axis.at(value) for value in spans[row["name"]])
        text = run.measure.of(row[where], len(row["seeds"])) + run.measure.unit
        tracks.append(Track(row["title"], row["kind"], _role(run, row), text, mean, low, high, seeds))
    return Forest(run.results[where], tracks, axis.ticks(run.measure.factor), baseline)


def label_shares(labels: Json | None) -> tuple[list[Share], list[Tick]]:
    """The class shares of gap.json on one axis that begins at 0."""
    if labels is None:
        return [], []
    columns = [labels[key] for key in ("classes", "source", "estimated", "low", "high")]
    axis = _Axis(0.0, min(1.0, 1.05 * max(max(labels["high"]), max(labels["source"]), 0.01)))
    shares = []
    for title, source, target, low, high in zip(*columns, strict=True):
        text = f"{fixed(100 * source, 1)} → {fixed(100 * target, 1)} %"
        shares.append(Share(title, axis.at(source), axis.at(target), axis.at(low), axis.at(high), text))
    return shares, axis.ticks(100.0, 4)


def sizes(values: Sequence[float | None]) -> list[float | None]:
    """Lengths of bars in percent of the longest."""
    longest = max((value for value in values if value), default=1.0)
    return [None if value is None else round(100 * value / longest, 2) for value in values]


def _span(row: Json, where: str, name: str) -> list[float]:
    """Mean, mean − std, mean + std, and the seeds."""
    summary, several = row[where][name], len(row["seeds"]) > 1
    mean, std = summary["mean"], summary["std"] if several else 0.0
    return [mean, mean - std, mean + std, *(seed[where][name] for seed in row["seeds"])]


def _axis(values: Sequence[float]) -> _Axis:
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return _Axis(low - room, high + room)


def _role(run: Run, row: Json) -> str:
    if run.is_selected(row["name"]):
        return "selected"
    return "baseline" if run.results is not None and row["name"] == run.results["baseline"] else ""


def _places(step: float) -> int:
    """The decimals that a tick needs."""
    return next(places for places in range(7) if abs(round(step, places) - step) < 1e-9 or places == 6)
