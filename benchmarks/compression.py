"""Half the channels of a CNN of 4.6 M parameters, then INT8, each fine-tuned by what the whole network said.

Coloured digits as in the speed benchmarks: the teacher is trained with labels on other images of the kind, and
the row begins as its copy. Steps choose and train on unlabelled images; the test labels are read once.

usage: python benchmarks/compression.py [--epochs 8] [--seeds 1] [--images 2048]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from _workload import TEACHER, Work, machine

from limbeck.core.files import read_json
from limbeck.recipes import run_recipe

STEPS = {
    "pruned": [{"prune": {"amount": 0.5}}],
    "int8": [{"prune": {"amount": 0.5}}, {"quantise": {"mode": "post_training"}}],
    "int8_aware": [{"prune": {"amount": 0.5}}, {"quantise": {"mode": "aware"}, "training": {"epochs": 2}}],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--rows", nargs="*", default=list(STEPS), choices=list(STEPS))
    chosen = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        recipe = Work.make(chosen.images).recipe(folder, epochs=chosen.epochs)
        run = run_recipe(_compressed(recipe, chosen.rows, chosen.seeds), runs=folder / "runs", stages=STAGES)[0]
        for chain in read_json(run / "results.json")["compression"]:
            _show(chain)


STAGES = ["teacher", "knowledge", "student", "compression", "evaluation"]


def _compressed(recipe: dict[str, Any], names: list[str], seeds: int) -> dict[str, Any]:
    """The recipe of the speed benchmarks with rows that begin as the teacher and are made smaller."""
    method = recipe["rows"]["distilled"]
    still = {"epochs": 1, "evaluate_every": 1, "learning_rate": 1e-8}  # the row is the teacher, as it is
    tuned = {**recipe["training"], "optimiser": "adamw", "learning_rate": 1e-3, "schedule": "cosine"}
    rows = {}
    for name in names:
        steps = [{"training": tuned, **step} if _is_tuned(step) else step for step in STEPS[name]]
        rows[name] = {**method, "start": "teacher", "training": still, "compress": steps}
    return {**recipe, "name": "compression", "student": TEACHER, "rows": rows, "seeds": seeds}


def _is_tuned(step: dict[str, Any]) -> bool:
    return step.get("quantise", {}).get("mode") != "post_training"


def _show(chain: dict[str, Any]) -> None:
    print(f"\n{chain['row']}, run by {chain['runtime']} on one thread\n")
    print("| | accuracy | against as trained | bytes | multiply-adds | ms, batch 1 | ms, batch 32 (p95) | faster |")
    print("|---|---|---|---|---|---|---|---|")
    first = chain["steps"][0]["latency"]["32"]["median"]
    for step in chain["steps"]:
        versus, at = step["versus_student"], step["latency"]
        told = (
            ""
            if versus is None
            else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * versus[key] for key in ("difference", "low", "high")))
        )
        score = f"{100 * step['score']['mean']:.1f} ± {100 * step['score']['std']:.1f}"
        times = f"{at['1']['median']:.2f} | {at['32']['median']:.1f} ({at['32']['p95']:.1f})"
        faster = f"{first / at['32']['median']:.2f} ×"
        sizes = f"{step['bytes']:,} | {step['multiply_adds']:,}"
        print(f"| {step['title']} | {score} | {told} | {sizes} | {times} | {faster} |")


if __name__ == "__main__":
    main()
