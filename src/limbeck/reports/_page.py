"""From a run folder to its page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from limbeck.core.files import write_text
from limbeck.reports._classes import confusion_charts, largest_confusions, recalls, reliability_charts
from limbeck.reports._compression import chains, models
from limbeck.reports._curves import adaptation_charts, adapting, collapses, curve_charts, legend
from limbeck.reports._embedding import embedding_charts, names_classes
from limbeck.reports._numbers import count, fixed, p_value, significant
from limbeck.reports._run import Json, Run, read_run, sentences
from limbeck.reports._search import search_charts, searched
from limbeck.reports._table import comparison, cost, key_figures, metrics, seeds
from limbeck.reports._tracks import forest, label_shares

__all__ = ["render", "write_report"]

CONTEST = "auto"
"""The choice that the comparison explains in words."""

LISTED = 25
"""So many features of a table are shown at once; the others unfold."""


def write_report(folder: Path) -> Path:
    """Write `folder/report.html`, one file without scripts or outside references, and return its path.

    Reads the files that docs/run-folder.md describes; a section whose files are missing is left
    out or says what to run. Equal input gives equal bytes. Raises `UsageError` where the folder
    holds nothing of a run, and `RunError` naming a damaged file.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "recipe.yaml").write_text("name: digits")
    >>> write_report(folder).name
    'report.html'
    """
    folder = Path(folder)
    path = folder / "report.html"
    write_text(path, render("report.html.jinja", _content(read_run(folder))))
    return path


def render(template: str, content: Mapping[str, Any]) -> str:
    """A template of this room with `content`; everything in it is escaped unless it is `Markup`."""
    return _templates().get_template(template).render(content)


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("limbeck.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": count, "fixed": fixed, "p_value": p_value, "significant": significant}
    return environment


def _content(run: Run) -> dict[str, Any]:
    shares, share_ticks = label_shares(run.gap["labels"] if run.gap else None)
    return {
        "run": run,
        "name": run.results["name"] if run.results else run.name,
        "pair": _pair(run),
        "verdict": sentences(run.results["verdict"]) if run.results else None,
        "figures": key_figures(run),
        "lines": comparison(run),
        "forest": forest(run),
        "metrics": metrics(run),
        "seeds": seeds(run),
        "keys": legend(run),
        "curves": curve_charts(run),
        "adapting": adapting(run),
        "adaptation": adaptation_charts(run),
        "collapses": collapses(run),
        "recalls": recalls(run),
        "confusions": confusion_charts(run),
        "largest": largest_confusions(run),
        "reliabilities": reliability_charts(run),
        "spaces": embedding_charts(run),
        "named": names_classes(run),
        "features": _features(run.gap),
        "listed": LISTED,
        "shares": shares,
        "share_ticks": share_ticks,
        "costs": cost(run),
        "chains": chains(run),
        "models": models(run),
        "search": searched(run),
        "search_charts": search_charts(run),
        "environment": _flat(run.environment or {}),
        "choices": _flat({key: choice for key, choice in (run.choices or {}).items() if key != CONTEST}),
    }


def _pair(run: Run) -> tuple[str, str] | None:
    """The names of the two domains."""
    for found in (run.results, run.gap):
        if found is not None:
            return found["source"], found["target"]
    return (run.domains["source"]["name"], run.domains["target"]["name"]) if run.domains else None


def _features(gap: Json | None) -> list[Json]:
    """The shifted features first, the largest stability index first."""
    if gap is None:
        return []
    return sorted(gap["features"], key=lambda feature: (not feature["shifted"], -(feature["psi"] or 0.0)))


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Nested settings as lines; what is empty is left out."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            lines += _flat(value, f"{above}{key}: ")
        elif value is not None:
            lines.append((above + str(key).replace("_", " "), _words(value)))
    return lines


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(_words, value)) if isinstance(value, list) else str(value)
