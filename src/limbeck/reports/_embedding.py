"""Both domains in two dimensions."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from limbeck.reports._canvas import INK, RULE, SOURCE, TARGET, Canvas, Chart, themed
from limbeck.reports._numbers import shorten
from limbeck.reports._run import Json, Run

__all__ = ["embedding_charts", "names_classes"]

MOST = 700
"""So many points of a domain are drawn at most."""

NAMED = 12
"""Up to so many classes, each has its name at the middle of its source samples."""


def names_classes(run: Run) -> bool:
    """Whether the pictures name the classes."""
    return run.embedding is not None and 0 < len(_classes(run)) <= NAMED


@themed
def embedding_charts(run: Run) -> list[Chart]:
    """One picture for each space of embedding.json."""
    if run.embedding is None:
        return []
    classes = _classes(run) if names_classes(run) else []
    return [
        Chart(space["title"], _draw(f"space{number}", space, classes))
        for number, space in enumerate(run.embedding["spaces"])
    ]


def _classes(run: Run) -> list[str]:
    about = run.results or run.domains
    return about["task"]["classes"] if about else []


def _draw(key: str, space: Json, classes: list[str]) -> Markup:
    canvas = Canvas(key, 310, 310)
    axes = canvas.axes(4, 4, 4, 4)
    source, target = _points(space["source"]), _points(space["target"])
    axes.plot(*source.T, linestyle="", marker="o", markersize=4.2, color=SOURCE, alpha=0.55, markeredgewidth=0)
    axes.plot(*target.T, linestyle="", marker="x", markersize=4.4, color=TARGET, alpha=0.75, markeredgewidth=1.1)
    if space["source_classes"] is not None and classes:
        points, labels = np.array(space["source"], dtype=float), np.array(space["source_classes"])
        for label in np.unique(labels):
            x, y = np.median(points[labels == label], axis=0)
            axes.text(x, y, shorten(classes[label], 12), color=INK, ha="center", va="center")
    axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    axes.margins(0.04)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(RULE)
    counts = f"{len(space['source'])} source and {len(space['target'])} target samples"
    return canvas.svg(f"{space['title']}: {counts} in two dimensions.")


def _points(points: list[list[float]]) -> np.ndarray:
    """[n, 2], thinned evenly to `MOST`."""
    found = np.array(points, dtype=float).reshape(-1, 2)
    return found if len(found) <= MOST else found[np.linspace(0, len(found) - 1, MOST).round().astype(int)]
