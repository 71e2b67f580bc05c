"""From a heavy adapted teacher to a small INT8 file, and half the channels of a CNN: what is lost, what is gained.

heart, digits, mnist_usps: a teacher is aligned with the unlabelled target, teaches a student, and that becomes an
INT8 ONNX file, calibrated on the target. All lines are run by onnxruntime on one thread. pruned: the CNN of 4.6 M
parameters of the speed benchmarks begins as a row, loses half of its channels, and is taught again by what it said
before; in PyTorch. Settings and checkpoints are chosen without target labels; the test labels are read once. Each case
is a run folder; the same command goes on where it was stopped.

usage: LIMBECK_DATA=… python benchmarks/compression.py [cases …] [--seeds 3] [--runs …]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from _workload import TEACHER, Work, machine

from limbeck.core.files import read_json
from limbeck.recipes import run_recipe

STAGES = ["teacher", "knowledge", "student", "compression", "evaluation"]
Recipe = dict[str, Any]


def aligned(network: dict[str, Any], distance: str, weight: float = 1.0) -> Recipe:
    """A teacher that learns the source's labels and is aligned with the target's samples."""
    terms = ["cross_entropy", {"align": {"distance": distance}, "weight": weight}]
    return {
        "network": {"network": network},
        "method": {"distill": {"objectives": terms}},
        "title": "teacher, aligned",
    }


def small(**training: Any) -> Recipe:
    """A student taught by that teacher, then INT8."""
    terms = ["cross_entropy", {"kl": {"temperature": 2.0}}]
    return {
        "distill": {"objectives": terms},
        "title": "distilled",
        "training": training,
        "compress": [{"quantise": {}, "title": "INT8"}],
    }


HOSPITAL = "$LIMBECK_DATA/heart_disease"
DEVICE: dict[str, Recipe] = {
    "heart": {
        "source": {"csv": {"path": f"{HOSPITAL}/cleveland.csv", "label": "num > 0"}},
        "target": {"csv": {"path": f"{HOSPITAL}/hungary.csv", "label": "num > 0"}},
        "split": {"seed": 0, "selection": 0.2, "test": 0.5},
        "teacher": aligned({"mlp": {"hidden": [512, 256], "dropout": 0.3}}, "coral"),
        "student": {"mlp": {"hidden": [8]}},
        "rows": {"distilled": small()},
        "training": {"epochs": 40, "batch_size": 32, "learning_rate": 0.003, "precision": "fp32", "compile": False},
    },
    "digits": {
        "source": {"digits": {"domain": "scan"}},
        "target": {"digits": {"domain": "photo"}},
        "split": {"seed": 0, "selection": 0.2, "test": 0.3},
        "teacher": aligned({"cnn": {"widths": [64, 128], "hidden": 256}}, "mmd", 3.0),
        "student": {"cnn": {"widths": [16, 32], "hidden": 64}},
        "rows": {"distilled": small(epochs=60)},
        "training": {"epochs": 30, "batch_size": 64, "learning_rate": 0.002, "precision": "fp32", "compile": False},
    },
    "mnist_usps": {
        "source": {"mnist": {"limit": 6000}},
        "target": {"usps": {"limit": 6000}},
        "split": {"seed": 0, "selection": 0.15},
        "teacher": aligned({"cnn": {"widths": [48, 96], "hidden": 192}}, "mmd", 3.0),
        "student": {"cnn": {"widths": [10, 20], "hidden": 40}},
        "rows": {"distilled": small()},
        "training": {"epochs": 8, "batch_size": 64, "optimiser": "adam", "learning_rate": 0.001, "weight_decay": 0.0},
    },
}
PRUNED = "pruned"


def main() -> None:
    cases = [*DEVICE, PRUNED]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=", ".join(cases))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks/compression"))
    chosen = parser.parse_args()
    print(machine(), flush=True)
    for case in chosen.cases or cases:
        recipe = pruning(chosen.runs / f"{PRUNED}-data") if case == PRUNED else DEVICE[case]
        (run,) = run_recipe({**recipe, "name": case, "seeds": chosen.seeds}, runs=chosen.runs, stages=STAGES)
        print(table(case, read_json(run / "results.json")), flush=True)


def pruning(folder: Path, images: int = 2048) -> Recipe:
    """The recipe of the speed benchmarks with a row that begins as the teacher, and loses half of its channels."""
    names = [folder / name for name in ("source.npz", "target.npz", "teacher.safetensors")]
    if not all(name.exists() for name in names):
        folder.mkdir(parents=True, exist_ok=True)
        Work.make(images).save(folder)
    data = [{"arrays": {"path": str(name.resolve()), "scale": "none"}} for name in names[:2]]
    still = {"epochs": 1, "learning_rate": 1e-8}  # the row is the teacher, with BatchNorm's statistics taken anew
    tuned = {"epochs": 8, "learning_rate": 1e-3, "schedule": "cosine"}
    return {
        "source": data[0],
        "target": data[1],
        "split": {"selection": 0.25, "test": 0.25},
        "teacher": {"network": {"network": TEACHER, "weights": str(names[2].resolve())}},
        "student": TEACHER,
        "rows": {
            "whole": {
                "distill": {"objectives": [{"kl": {"temperature": 4.0}}]},
                "start": "teacher",
                "training": still,
                "compress": [{"prune": {"amount": 0.5}, "title": "half the channels", "training": tuned}],
            }
        },
        "training": {"batch_size": 128, "optimiser": "adamw", "compile": False},
    }


def table(case: str, results: dict[str, Any]) -> str:
    """A row's compression as Markdown: what is lost with its interval, what is gained against the first line."""
    (chain,), metric = results["compression"], results["metric"]
    lines = [chain["teacher"], *chain["steps"]] if case != PRUNED else chain["steps"]
    first = lines[0]
    told = [
        f"\n| {results['source']} → {results['target']}, {chain['runtime']} | {metric.replace('_', ' ')} "
        "| against the teacher | against as trained | same answer | kB | smaller | ms, batch 1 | faster "
        "| ms, batch 32 | faster |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        score = line["target"][metric]
        versus = [_versus(line[f"versus_{other}"]) for other in ("teacher", "student")]
        agreed = "{:.1f} % [{:.1f}, {:.1f}]".format(*(100 * line["agreement"][key] for key in ("mean", "low", "high")))
        times = []
        for size in ("1", "32"):
            own, theirs = (one["latency"][size]["median"] for one in (line, first))
            times.append(f"{own:.3g} | {theirs / own:.1f} ×")
        smaller = f"{line['bytes'] / 1000:.1f} | {first['bytes'] / line['bytes']:.1f} ×"
        spread = f"{100 * score['mean']:.1f} ± {100 * score['std']:.1f}"
        told.append(f"| {' | '.join([line['title'], spread, *versus, agreed, smaller, *times])} |")
    return "\n".join(told)


def _versus(versus: dict[str, float] | None) -> str:
    if versus is None:
        return ""
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * versus[key] for key in ("difference", "low", "high")))


if __name__ == "__main__":
    main()
