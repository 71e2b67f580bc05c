"""rank.json for a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core.files import read_json
from limbeck.reports.terminal import print_table

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["print_ranking", "ranking_table"]

FAMILIES = ("transferability", "distance", "teacher")
AT_HOME = {"source_accuracy": "source accuracy", "source_explained": "source, % explained"}
"""What a teacher reaches on its own source, by the name of the score."""


def print_ranking(folder: Path, as_json: bool = False) -> None:
    """A table, a sentence for each candidate and the conclusion; or rank.json as it is."""
    if as_json:
        sys.stdout.write((folder / "rank.json").read_text(encoding="utf-8"))
        return
    ranking = read_json(folder / "rank.json")
    print_table(ranking_table(ranking))
    for entry in ranking["candidates"]:
        print(f"{entry['name']}: {entry['verdict']}. {entry['reason']}")
    print(ranking["sentence"])


def ranking_table(ranking: dict[str, Any]) -> Table:
    """The candidates of rank.json, best first: combined rank, the part of each family in it, and the verdict."""
    from rich import box
    from rich.table import Table

    k, names = ranking["labelled_per_class"], [score["name"] for score in ranking["candidates"][0]["scores"]]
    at_home = next(name for name in AT_HOME if name in names)
    of, forms = (" a class", ": pseudo-label forms") if at_home == "source_accuracy" else ("", "")
    known = f"labelled samples{of}: {k}" if k else f"no labels{forms}"
    table = Table(title=f"candidates for {ranking['target']}, {known}", box=box.SIMPLE)
    table.add_column("candidate")
    table.add_column("combined, 0 to 100", justify="right")
    for family in FAMILIES:
        table.add_column(family, justify="right")
    table.add_column(AT_HOME[at_home], justify="right")
    table.add_column("verdict")
    for entry in ranking["candidates"]:
        table.add_row(
            entry["name"],
            f"{100 * entry['combined']:.0f} [{100 * entry['low']:.0f}, {100 * entry['high']:.0f}]",
            *(_mean_position(entry, family) for family in FAMILIES),
            _share(entry, at_home),
            entry["verdict"] if entry["sure"] else f"{entry['verdict']}, not sure",
        )
    return table


def _mean_position(entry: dict[str, Any], family: str) -> str:
    """Where the family's scores stand on average between the worst candidate, 0, and the best, 100."""
    places = [score["scaled"]["value"] for score in entry["scores"] if score["family"] == family and score["scaled"]]
    return f"{100 * sum(places) / len(places):.0f}" if places else "–"


def _share(entry: dict[str, Any], name: str) -> str:
    (score,) = [score for score in entry["scores"] if score["name"] == name]
    return f"{100 * score['value']:.1f}"
