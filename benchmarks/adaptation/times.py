"""What adaptation costs: seconds of training per epoch, relative to the same student trained on the source alone.

usage: LIMBECK_DATA=… python benchmarks/adaptation/times.py [--repeats 3] [--epochs 4] [--limit 2000]

USPS → MNIST, equally many images of 28×28, a small network, every adaptive objective beside the hard labels, and every
deep method. The contestants take turns; ratios are taken within a turn. Evaluations do not count. A method that sees a
batch of the target for each of the source does twice the work by nature; `more` says who does more, and why.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.core.files import read_json
from limbeck.recipes import run_recipe

OBJECTIVES: dict[str, Any] = {
    "align, mmd": {"align": {"distance": "mmd"}},
    "align, coral": {"align": {"distance": "coral"}},
    "align, wasserstein": {"align": {"distance": "wasserstein"}},
    "joint_mmd": "joint_mmd",
    "deepjdot": "deepjdot",
    "adversarial": "adversarial",
    "cdan": "cdan",
    "mdd": "mdd",
    "afn": "afn",
    "mcc": "mcc",
    "bnm": "bnm",
    "information_max": "information_max",
}

METHODS: dict[str, Any] = {
    "pseudo_labels": "pseudo_labels",
    "label_propagation": "label_propagation",
    "mean_teacher": "mean_teacher",
    "mcd": "mcd",
    "two_encoders": {"two_encoders": {"objectives": ["cross_entropy", {"align": {"distance": "mmd"}}]}},
    "adabn": {"adabn": {}, "start": "source_only"},
    "shot": {"shot": {}, "start": "source_only"},
    "dine": {"dine": {}, "teacher": "teacher"},
}

MORE = {
    "mcd": "four more passes of the target a step, for the generator",
    "mean_teacher": "the average of the students labels the target: one more forward pass",
    "dine": "a second view, mixed of two samples",
    "two_encoders": "two networks are moved, each by passes of its own domain",
    "label_propagation": "before each epoch a pass of both domains, and the graph of their neighbours",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--limit", type=int, default=2000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        (folder,) = run_recipe(_recipe(asked), runs=Path(runs), stages=["teacher", "knowledge", "student"])
        seconds = {row: _seconds(folder / "students" / _key(row), asked.repeats) for row in _rows()}
    base = seconds.pop("source_only")
    print(f"\nsource_only: {base.mean() / asked.epochs:.3f} s per epoch\n")
    print("| contestant | to source_only | more |")
    print("|---|---|---|")
    for row, own in sorted(seconds.items(), key=lambda item: float(np.median(item[1] / base))):
        ratio = own / base
        print(f"| {row} | {np.median(ratio):.2f} ({ratio.min():.2f}–{ratio.max():.2f}) | {MORE.get(row, '')} |")


def _rows() -> dict[str, Any]:
    adapted = {name: {"distill": {"objectives": ["cross_entropy", part]}} for name, part in OBJECTIVES.items()}
    return {"source_only": "source_only", **adapted, **METHODS}


def _key(row: str) -> str:
    return row.replace(", ", "_")


def _recipe(asked: argparse.Namespace) -> dict[str, Any]:
    network = {"cnn": {"widths": [16, 32], "hidden": 64}}
    return {
        "name": "times",
        "source": {"usps": {"limit": asked.limit}},
        "target": {"mnist": {"limit": asked.limit}},
        "teacher": {"network": {"network": network}},
        "student": network,
        "rows": {_key(row): part for row, part in _rows().items()},
        "training": {
            "epochs": asked.epochs,
            "evaluate_every": asked.epochs,
            "precision": "fp32",
            "layout": "channels_last",
            "compile": False,
        },
        "seeds": asked.repeats,
    }


def _seconds(folder: Path, repeats: int) -> np.ndarray:
    return np.array([read_json(folder / str(seed) / "done.json")["seconds"] for seed in range(repeats)])


if __name__ == "__main__":
    main()
