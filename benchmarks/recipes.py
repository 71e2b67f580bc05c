"""Every shipped recipe from start to end, as the tables of benchmarks/README.md.

usage: python benchmarks/recipes.py [RECIPE ...]      runs go to runs/benchmarks, and go on where they were stopped
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.recipes import run_recipe, shipped_recipes

RUNS = Path("runs/benchmarks")


def main(names: list[str]) -> None:
    for name in names:
        start = time.monotonic()
        try:
            folders = run_recipe(name, runs=RUNS)
        except UsageError as error:  # the data of some recipes have to be there
            print(f"\n{name}: {error}")
            continue
        print(f"\n`limbeck run {name}`, {time.monotonic() - start:.0f} s")
        for folder in folders:
            print(table(read_json(folder / "results.json")))


def table(results: dict[str, Any]) -> str:
    """The comparison as Markdown."""
    metric, factor = results["metric"], 100 if results["task"]["kind"] == "classification" else 1
    pair, measure = f"{results['source']} → {results['target']}", metric.replace("_", " ")
    lines = [
        f"\n| {pair} | k | {measure} | against {results['baseline']} | regret | parameters |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        reached, versus = row["target"][metric], row["versus_baseline"]
        gain = "" if versus is None else f"{factor * versus['difference']:+.1f}"
        span = "" if versus is None else f" [{factor * versus['low']:+.1f}, {factor * versus['high']:+.1f}]"
        regret = "" if row["regret"] is None else f"{factor * row['regret']['mean']:.1f}"
        mean = f"{factor * reached['mean']:.1f} ± {factor * reached['std']:.1f}"
        k = "all" if row["kind"] == "upper_bound" else row["labelled_per_class"]
        name = f"**{row['title']}**" if row["name"] == results["selected"] else row["title"]
        lines.append(f"| {name} | {k} | {mean} | {gain}{span} | {regret} | {row['parameters']:,} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:] or list(shipped_recipes()))
