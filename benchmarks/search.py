"""A smaller student by search, on the shipped `digits` recipe: the found one beside the recipe's own, and the time.

Goal: 30 trials in under 10 minutes on 2 cores find a student that is not worse and at least 2 times smaller, for the
same epochs. The choice reads no target label; the test labels are opened once, after it. With --kills the search
runs a second time in another folder and is killed (SIGKILL) so often on the way; it has to end with the same student.

usage: python benchmarks/search.py [--trials 30] [--seeds 3] [--kills 0]      runs go to runs/benchmarks
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.core.files import read_json
from limbeck.evaluation import mean_std

RUNS = Path("runs/benchmarks")
RECIPE = "digits"
OWN_BYTES = 155_064
"""Of the recipe's own student, 38,666 parameters and BatchNorm's statistics; the budget is the half."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0)
    chosen = parser.parse_args()
    command = [sys.executable, "-m", "limbeck", "search", RECIPE, "--runs", str(RUNS), "--trials", str(chosen.trials)]
    for change in (f"seeds={chosen.seeds}", f"search.budget.bytes={OWN_BYTES // 2}", "search.choose=best"):
        command += ["--set", change]
    command.append("--name")
    start = time.monotonic()
    subprocess.run([*command, "search", "--fresh"], check=True)
    seconds = time.monotonic() - start
    whole = read_json(RUNS / "search" / "search.json")
    show(whole, seconds)
    if chosen.kills:
        again = killed([*command, "search-killed"], seconds, chosen.kills)
        same = {key: (whole[key], again[key]) for key in ("chosen", "front", "finalists")}
        differing = [key for key, (one, other) in same.items() if one != other]
        print(f"\nkilled {chosen.kills} times: {'the same end' if not differing else f'other {differing}'}")


def killed(command: list[str], seconds: float, kills: int) -> dict[str, Any]:
    """What the search finds that is killed at random times, spread over as long as it took unhindered."""
    random = np.random.default_rng(0)
    shutil.rmtree(RUNS / command[-1], ignore_errors=True)
    for wait in random.uniform(0.2, 1.8, kills) * seconds / (kills + 1):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    subprocess.run(command, check=True, capture_output=True)
    return read_json(RUNS / command[-1] / "search.json")


def show(search: dict[str, Any], seconds: float) -> None:
    """The comparison as Markdown, and what the goal asks for."""
    trials, comparison = search["trials"], search["comparison"]
    states = {state: sum(trial["state"] == state for trial in trials) for state in ("finished", "pruned", "failed")}
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    print(f"\n`limbeck search {RECIPE}`: {len(trials)} trials ({told}) in {seconds:.0f} s\n")
    if comparison is None:
        print(search["why"])
        return
    print("| | accuracy | against the recipe's own | parameters | label-free score |\n|---|---|---|---|---|")
    scores = {entry["number"]: entry["scores"] for entry in search["finalists"]}
    for row, number in zip(comparison["rows"], (search["own"], search["chosen"]), strict=True):
        reached, versus = row["target"]["accuracy"], row["versus_baseline"]
        span = (
            ""
            if versus is None
            else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * versus[key] for key in ("difference", "low", "high")))
        )
        mean = f"{100 * reached['mean']:.1f} ± {100 * reached['std']:.1f}"
        score = "{:.3f} ± {:.3f}".format(*mean_std(scores[number]))
        print(f"| {row['title']} | {mean} | {span} | {row['parameters']:,} | {score} |")
    own, found = comparison["rows"]
    print(f"\n{own['parameters'] / found['parameters']:.1f} times smaller; {search['why']}")


if __name__ == "__main__":
    main()
