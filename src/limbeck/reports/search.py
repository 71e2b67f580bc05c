"""search.json for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core.files import read_json
from limbeck.reports._run import read_run
from limbeck.reports._search import searched
from limbeck.reports.terminal import print_table, results_table

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["print_search", "search_table"]


def print_search(folder: Path) -> None:
    """The front, the comparison on the target's test split, what was chosen and why, and how to run it."""
    search = read_json(folder / "search.json")
    print_table(search_table(folder))
    if search["comparison"] is not None:
        print_table(results_table(search["comparison"]))
    print(search["why"])
    if search["recipe"] is not None:
        print(f"next: limbeck run {search['recipe']}")
    print(f"report: {folder / 'report.html'}")


def search_table(folder: Path) -> Table:
    """The students of the front and the recipe's own, cheapest first, what they cost and how they score."""
    from rich import box
    from rich.table import Table

    found: Any = searched(read_run(folder))
    table = Table(title=f"students for {found.row}, by {found.validator}", box=box.SIMPLE)
    table.add_column("student")
    table.add_column("with")
    for cost in found.costs:
        table.add_column(cost, justify="right")
    table.add_column("score", justify="right")
    table.add_column("all seeds", justify="right")
    for line in found.lines:
        style = "bold" if line.chosen else None
        table.add_row(line.title, line.values, *line.costs, line.score, line.seeds, style=style)
    return table
