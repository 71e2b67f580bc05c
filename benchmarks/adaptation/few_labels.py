"""A few labelled target samples: adaptation that uses them, against fine-tuning on them.

usage: LIMBECK_DATA=… python benchmarks/adaptation/few_labels.py [--seeds 0 1 2] [--tasks photo …]     resumable

k labelled target samples of each class, drawn anew by each seed together with the splits. Digits: scan to photo, the
splits and networks of the recipe `digits`, half of its epochs. Hospitals: Cleveland with the gaps of the target, halves
and networks of `hospitals.py`; Switzerland has too few healthy patients to label ten. Rows, per cent of the target's
test split (digits: accuracy, hospitals: balanced accuracy), mean ± standard deviation over seeds:

source         the student on the source
fine-tuned     it goes on with the labelled samples, as in the recipe `digits`
labels added   the student on the source and the labelled samples at once, without a teacher
adapted        the student on both and on the soft labels of all target training samples by a teacher that learnt from
               both too and, for the digits, was aligned with the target (MMD)

The last checkpoint counts, and the settings are the same for every k.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hospitals import MISSING, divided, lacking

from limbeck.core.files import read_json
from limbeck.recipes import run_recipe

RUNS = Path("runs/benchmarks/few_labels")
TASKS = ("photo", "hungary", "va_long_beach")
COUNTS = (0, 1, 3, 10)
ROWS = ("source", "fine-tuned", "labels added", "adapted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    seeds, tasks = parser.parse_args().seeds, parser.parse_args().tasks
    for task in tasks:
        cells = {k: [scores_of(task, k, seed) for seed in seeds] for k in COUNTS}
        print(f"\n| {task} | " + " | ".join(f"k = {k}" for k in COUNTS) + " |")
        print("|---|" + "---|" * len(COUNTS))
        for row in ROWS:
            print(f"| {row} | " + " | ".join(told([cell.get(row) for cell in cells[k]]) for k in COUNTS) + " |")
        gains = [
            np.subtract(*([cell[row] for cell in cells[k]] for row in ("adapted", "fine-tuned"))) for k in COUNTS[1:]
        ]
        print("| adapted to fine-tuned | | " + " | ".join(told(list(gain), "+") for gain in gains) + " |", flush=True)


def told(values: list[float | None], sign: str = "") -> str:
    known = [100 * value for value in values if value is not None]
    return f"{np.mean(known):{sign}.1f} ± {np.std(known, ddof=1):.1f}" if known else ""


def scores_of(task: str, k: int, seed: int) -> dict[str, float]:
    """Of each row on the target's test split, in [0, 1]."""
    recipe = digits() if task == "photo" else hospital(task, seed)
    labelled = [{"cross_entropy": {}, "on": "labelled"}] if k else []
    teacher, align = recipe.pop("network"), recipe.pop("align")
    start = {"start": "source"} | recipe.pop("fine_tuning")
    rows = {"source": "source_only"}
    if k:
        rows |= {
            "fine-tuned": {"fine_tune": {"freeze": 0.5}, **start},
            "labels added": {"distill": {"objectives": ["cross_entropy", *labelled]}},
        }
    taught = ["cross_entropy", {"kl": {"temperature": 2.0}}, *labelled]
    method = {"distill": {"objectives": ["cross_entropy", *align, *labelled]}}
    common = {
        "name": f"{task}_{k}_{seed}",
        "teacher": {"network": {"network": teacher}, "method": method},
        "rows": {**rows, "adapted": {"distill": {"objectives": taught}}},
        "split": {"seed": seed, **recipe.pop("split"), "labelled": k},
        "seeds": [seed],
    }
    stages = ["teacher", "knowledge", "student", "evaluation"]
    (done,) = run_recipe({**recipe, **common}, runs=RUNS, stages=stages)
    metric = "accuracy" if task == "photo" else "balanced_accuracy"
    return {row["name"]: row["target"][metric]["mean"] for row in read_json(done / "results.json")["rows"]}


def digits() -> dict[str, Any]:
    return {
        "source": {"digits": {"domain": "scan"}},
        "target": {"digits": {"domain": "photo"}},
        "student": {"cnn": {"widths": [16, 32], "hidden": 64}},
        "network": {"cnn": {"widths": [32, 64], "hidden": 128}},
        "align": [{"align": {"distance": "mmd"}, "weight": 3.0}],
        "split": {"selection": 0.2, "test": 0.3},
        "training": training(15, 64, 0.002),
        "fine_tuning": {"training": {"epochs": 100, "evaluate_every": 100, "learning_rate": 0.0005}},
    }


def hospital(target: str, seed: int) -> dict[str, Any]:
    table = divided(target, seed)
    test = {"path": str(table), "label": "num > 0", "test": {"half": "test"}, "missing": MISSING}
    return {
        "source": lacking(table, seed),
        "target": {"csv": test},
        "student": {"mlp": {"hidden": [16], "dropout": 0.3}},
        "network": {"mlp": {"hidden": [64], "dropout": 0.5}},
        "align": [],
        "split": {"selection": 0.1, "test": 0.1},
        "training": training(10, 32, 0.003),
        "fine_tuning": {"training": {"epochs": 100, "evaluate_every": 100, "learning_rate": 0.0005}},
    }


def training(epochs: int, batch_size: int, learning_rate: float) -> dict[str, Any]:
    settings = {"epochs": epochs, "evaluate_every": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    return {**settings, "precision": "fp32", "layout": "channels_last", "compile": False}


if __name__ == "__main__":
    start = time.monotonic()
    torch.set_num_threads(1)
    main()
    print(f"\n{time.monotonic() - start:.0f} s on one core")
