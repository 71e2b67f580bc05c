"""The comparison table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["gap_table", "print_table", "results_table"]


def results_table(results: dict[str, Any]) -> Table:
    """The rows of results.json with their headline metric, mean ± std over seeds."""
    from rich import box
    from rich.table import Table

    metric = results["metric"]
    share = results["task"]["kind"] == "classification"
    count = len(results["seeds"])
    seeds = "1 seed" if count == 1 else f"{count} seeds, mean ± std"
    table = Table(title=f"{results['source']} → {results['target']}, {seeds}", box=box.SIMPLE)
    table.add_column("row")
    table.add_column("k", justify="right")
    table.add_column(f"target {metric.replace('_', ' ')}", justify="right")
    table.add_column(f"against {results['baseline']}", justify="right")
    table.add_column("parameters", justify="right")
    table.add_column("ms", justify="right")
    for row in results["rows"]:
        mark = " (upper bound)" if row["kind"] == "upper_bound" and "upper bound" not in row["title"] else ""
        table.add_row(
            f"{row['title']}{mark}",
            "all" if row["kind"] == "upper_bound" else str(row["labelled_per_class"] or ""),
            _spread(row["target"], metric, share, count),
            _difference(row["versus_baseline"], share),
            "–" if row["parameters"] is None else f"{row['parameters']:,}",
            "" if row["milliseconds_per_sample"] is None else f"{row['milliseconds_per_sample']:.2f}",
            style="bold" if row["name"] == results.get("selected") else None,
        )
    return table


def _spread(summary: dict[str, Any] | None, metric: str, share: bool, seeds: int) -> str:
    if summary is None or summary.get(metric) is None:
        return "–"
    mean, std = summary[metric]["mean"], summary[metric]["std"]
    shown, spread = (f"{100 * mean:.1f}", f"{100 * std:.1f}") if share else (f"{mean:.4g}", f"{std:.2g}")
    return shown if seeds == 1 else f"{shown} ± {spread}"  # one seed has no spread to show


def _difference(comparison: dict[str, Any] | None, share: bool) -> str:
    if comparison is None:
        return ""
    factor = 100 if share else 1
    difference, low, high = (round(factor * comparison[key], 6) + 0.0 for key in ("difference", "low", "high"))
    return f"{difference:+.1f} [{low:+.1f}, {high:+.1f}]" if share else f"{difference:+.3g} [{low:+.3g}, {high:+.3g}]"


def gap_table(gap: dict[str, Any]) -> Table:
    """The distances of gap.json."""
    from rich import box
    from rich.table import Table

    table = Table(title=f"{gap['source']} → {gap['target']}", box=box.SIMPLE)
    for name in ("distance", "of", "value", "95 % interval", "p"):
        table.add_column(name, justify="left" if name in ("distance", "of") else "right")
    for measure in gap["distances"]:
        interval = "–" if measure["low"] is None else f"{measure['low']:.3g} – {measure['high']:.3g}"
        p_value = "–" if measure["p_value"] is None else f"{measure['p_value']:.3g}"
        table.add_row(measure["name"], measure["space"], f"{measure['value']:.4g}", interval, p_value)
    return table


def print_table(table: Table) -> None:
    """On a terminal in its width, elsewhere 120 characters wide."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(table) if console.is_terminal else Console(highlight=False, width=120).print(table)
