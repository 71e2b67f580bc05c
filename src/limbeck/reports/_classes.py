"""What happens class by class: recalls, confusions, and how far a confidence can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from limbeck.reports._canvas import ACCENT, INK, MUTED, Canvas, Chart, themed
from limbeck.reports._numbers import NONE, columns, fixed, shorten
from limbeck.reports._run import Json, Run

__all__ = ["Recalls", "confusion_charts", "largest_confusions", "recalls", "reliability_charts"]

CLASSES = 40
"""More classes than these are not listed: only those where the selected row differs most from the baseline."""

COUNTED = 12
"""Up to so many classes, the cells of a confusion matrix show their counts."""

DRAWN = 100
"""Above so many classes there is no matrix, only its largest cells."""


@dataclass(frozen=True)
class Cell:
    """A recall in [0, 1] and how it is written."""

    value: float
    text: str


@dataclass(frozen=True)
class Recalls:
    """A table: titles of rows across; down, (class, support, cells, gain of the selected row in points)."""

    titles: list[str]
    classes: list[tuple[str, int, list[Cell], str]]
    of: int
    compared: bool


def recalls(run: Run) -> Recalls | None:
    """The recall of every row in every class of the target's test split."""
    rows = [row for row in run.rows if row.get("per_class")]
    if not rows:
        return None
    total, gains = len(rows[0]["per_class"]), _gains(run)
    moved = [0.0 if gain is None else abs(gain) for gain in gains or [None] * total]
    lines = []
    for place in sorted(sorted(range(total), key=lambda place: -moved[place])[:CLASSES]):
        entries = [row["per_class"][place] for row in rows]
        gain = gains[place] if gains else None
        written = NONE if gain is None else fixed(100 * gain, 1, sign=True)
        lines.append((entries[0]["class"], entries[0]["support"], [_cell(e["recall"]) for e in entries], written))
    return Recalls([row["title"] for row in rows], lines, total, gains is not None)


@themed
def confusion_charts(run: Run) -> list[Chart]:
    """The confusion matrices of the baseline and of the selected row."""
    charts = []
    for number, (role, row) in enumerate(_pair(run)):
        if len(row["confusion"]) <= DRAWN:
            names = [entry["class"] for entry in row["per_class"]]
            label = f"Confusion matrix of {row['title']}, the {role}: true classes down, predicted classes across."
            charts.append(Chart(row["title"], _matrix(f"matrix{number}", row["confusion"], names, label), role))
    return charts


def largest_confusions(run: Run, most: int = 8) -> list[tuple[str, str, list[str]]]:
    """(true class, predicted class, mean count in the baseline and in the selected row), the worst first.

    Nothing where the matrices show their counts.
    """
    pair = _pair(run)
    if not pair or len(pair[0][1]["confusion"]) <= COUNTED:
        return []
    matrices = [np.array(row["confusion"], dtype=float) for _, row in pair]
    worst = np.maximum.reduce(matrices)
    np.fill_diagonal(worst, 0.0)
    names = [entry["class"] for entry in pair[0][1]["per_class"]]
    found = []
    for flat in np.argsort(-worst, axis=None, kind="stable")[:most]:
        i, j = divmod(int(flat), len(names))
        if worst[i, j] > 0:
            found.append((names[i], names[j], [fixed(matrix[i, j], 1) for matrix in matrices]))
    return found


@themed
def reliability_charts(run: Run) -> list[Chart]:
    """Confidence against accuracy on the target's test split: the teacher, the baseline, the selected row."""
    rows = [("teacher", run.teacher), ("baseline", run.baseline), ("selected", run.selected)]
    charts = []
    for number, (role, row) in enumerate(rows):
        if row is not None and row.get("reliability"):
            error = (row["target"] or {}).get("ece")
            note = f"{role}, ECE {fixed(100 * error['mean'], 1)} %" if error else role
            label = f"Reliability of {row['title']}: accuracy in ten bins of confidence."
            charts.append(Chart(row["title"], _reliability(f"reliable{number}", row["reliability"], label), note))
    return charts


def _pair(run: Run) -> list[tuple[str, Json]]:
    rows = [("baseline", run.baseline), ("selected", run.selected)]
    return [(role, row) for role, row in rows if row is not None and row.get("confusion")]


def _cell(recall: Json | None) -> Cell:
    return Cell(0.0, NONE) if recall is None else Cell(recall["mean"], fixed(100 * recall["mean"], 0))


def _gains(run: Run) -> list[float | None] | None:
    """Recall of the selected row minus the baseline's, by class."""
    pair = [row for _, row in _pair(run)]
    if len(pair) < 2:
        return None
    return [
        None if a["recall"] is None or b["recall"] is None else b["recall"]["mean"] - a["recall"]["mean"]
        for a, b in zip(pair[0]["per_class"], pair[1]["per_class"], strict=True)
    ]


def _matrix(key: str, confusion: list[list[float]], names: list[str], label: str) -> Markup:
    counts = np.array(confusion, dtype=float)
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    n = len(names)
    side = min(330, max(170, 36 * n)) if n <= COUNTED else min(560, max(330, 13 * n))
    font = 11.0 if n <= COUNTED else 8.5 if n <= 40 else 6.0
    width = 12 if n <= 40 else 8
    wide = 0.62 * font * max(columns(shorten(name, width)) for name in names)
    upright = wide < 0.9 * side / n
    margin, below = round(14 + wide), 38 if upright else round(34 + wide)
    canvas = Canvas(key, margin + side + 10, side + below + 6)
    axes = canvas.axes(margin, 6, 10, below)
    cells = [(i, j) for i in range(n) for j in range(n) if shares[i, j] >= 0.005]
    patches = [Rectangle((j - 0.5, i - 0.5), 1, 1) for i, j in cells]
    depths = [0.08 + 0.62 * shares[i, j] for i, j in cells]
    axes.add_collection(PatchCollection(patches, facecolor=ACCENT, alpha=depths, linewidth=0))
    if n <= COUNTED:
        whole = bool((counts == counts.round()).all())
        for i, j in zip(*np.nonzero(counts >= 0.05), strict=True):
            text = fixed(counts[i, j], 0 if whole or counts[i, j] >= 9.95 else 1)
            axes.text(j, i, text, ha="center", va="center", fontsize=min(11, 130 / n))
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xticks=range(n), yticks=range(n), xlabel="predicted")
    axes.set_xticklabels([shorten(name, width) for name in names], rotation=0 if upright else 90, fontsize=font)
    axes.set_yticklabels([shorten(name, width) for name in names], fontsize=font)
    axes.tick_params(length=0, pad=4)
    axes.grid(False)
    axes.spines[:].set_visible(True)
    return canvas.svg(label)


def _reliability(key: str, bins: list[Json], label: str) -> Markup:
    canvas = Canvas(key, 300, 290)
    axes, below = canvas.axes(42, 8, 10, 104), canvas.axes(42, 208, 10, 40)
    filled = [found for found in bins if found["share"] > 0 and found["confidence"] is not None]
    confidence, accuracy = ([found[key] for found in filled] for key in ("confidence", "accuracy"))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.vlines(confidence, confidence, accuracy, color=ACCENT, alpha=0.35, linewidth=5)
    axes.plot(confidence, accuracy, color=ACCENT, marker="o", markersize=4.5, linewidth=1.5)
    centres, shares = [(found["low"] + found["high"]) / 2 for found in bins], [found["share"] for found in bins]
    below.bar(centres, shares, width=0.085, color=INK, alpha=0.35, linewidth=0)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    for half in (axes, below):
        half.set(xlim=(0, 1), ylim=(0, 1), xticks=ticks)
    axes.set(xticklabels=[], yticks=[0, 0.5, 1], ylabel="accuracy")
    below.set(xticklabels=[f"{tick:g}" for tick in ticks], yticks=[0, 1], xlabel="confidence", ylabel="share")
    below.grid(False, axis="x")
    return canvas.svg(label)
