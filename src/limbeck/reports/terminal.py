"""The comparison table for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.core import plain
from limbeck.core.files import read_json

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["export_lines", "gap_table", "print_overview", "print_run", "print_table", "print_written", "results_table"]


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
    shown, spread = (f"{100 * mean:.1f}", f"{100 * std:.1f}") if share else (plain(mean, 4), plain(std, 2))
    return shown if seeds == 1 else f"{shown} ± {spread}"  # one seed has no spread to show


def _difference(comparison: dict[str, Any] | None, share: bool) -> str:
    if comparison is None:
        return ""
    factor = 100 if share else 1
    difference, low, high = (round(factor * comparison[key], 6) + 0.0 for key in ("difference", "low", "high"))
    told = [f"{value:+.1f}" if share else plain(value, 3, "+") for value in (difference, low, high)]
    return "{} [{}, {}]".format(*told)


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


def export_lines(manifest: dict[str, Any]) -> list[str]:
    """What export.json says: whose student it is, and each file's bytes, parity and latency."""
    lines = []
    for model in manifest["models"]:
        parity, same = model["parity"], ""
        if parity["agreement"] is not None:
            share, low, high = (100 * value for value in (parity["agreement"], *parity["interval"]))
            same = f", the same answer for {share:.1f} % [{low:.1f}, {high:.1f}]"
        lines.append(
            f"{model['file']}: {model['bytes']} bytes; differs from the student by {parity['difference']:.1g} on "
            f"{parity['samples']} samples{same}"
        )
        for size, ours in parity["file"].items():
            theirs = parity["pytorch"][size]
            lines.append(
                f"  batch {size}: {ours['median']:.3g} ms (p95 {ours['p95']:.3g}), "
                f"PyTorch {theirs['median']:.3g} ms (p95 {theirs['p95']:.3g})"
            )
    step = manifest.get("step")
    after = f", after step {step} of its compression" if step else ""
    return [f"exported: {manifest['row']}, seed {manifest['seed']}{after}", *lines]


def print_run(folder: Path) -> None:
    """A run's table, verdict and choice, and what was written of it."""
    if (folder / "results.json").exists():
        results = read_json(folder / "results.json")
        print_table(results_table(results))
        print(results["verdict"])
        if "choice" in results:
            print(results["choice"]["why"])
    else:
        print(f"{folder}: not evaluated yet")
    print_written(folder)


def print_written(folder: Path) -> None:
    """What was exported from a run, and where its report lies; nothing where neither is there."""
    manifest = folder / "export" / "export.json"
    if manifest.exists():
        print("\n".join(export_lines(read_json(manifest))))
    if (folder / "report.html").exists():
        print(f"report: {folder / 'report.html'}")


def print_overview(folder: Path) -> None:
    """Where the overview of several runs lies, where there is one."""
    if (folder / "report.html").exists():
        print(f"overview: {folder / 'report.html'}")


def print_table(table: Table) -> None:
    """On a terminal in its width, elsewhere 120 characters wide."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(table) if console.is_terminal else Console(highlight=False, width=120).print(table)
