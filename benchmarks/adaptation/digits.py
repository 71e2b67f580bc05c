"""MNIST → USPS and USPS → MNIST: where the gain of an adapted and distilled student comes from.

usage: LIMBECK_DATA=… python benchmarks/adaptation/digits.py [--pairs …] [--rows …] [--seeds …] [--peers] [--runs …]

At most 6,000 training images a domain, the whole official test sets. The teacher is a CNN of 421,834 parameters, the
student a tenth of it. Nothing is chosen by target labels: one setting for both pairs, the last checkpoint counts, and
the target's test labels are read once, at the end. What adapts itself labels the target's images as they are. Framed:
the source's images are scaled and shifted as a whole to lie as the unlabelled target's do (`match: frame`). Each pair,
seed and setting of `match` is a run folder of its own; the same command goes on where it was stopped, and prints the
table of what is there.

--peers: full-size networks of skada (pip install skada skorch) and SHOT, without augmentation or framing, on the same
images, with as many passes over them.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limbeck.core import Domain
from limbeck.core.files import read_json, write_json
from limbeck.data import SplitSettings, prepare
from limbeck.data.mnist import Mnist
from limbeck.data.usps import Usps
from limbeck.evaluation import mean_std
from limbeck.networks.cnn import Cnn
from limbeck.recipes import run_recipe

PAIRS = ("mnist_usps", "usps_mnist")
STAGES = ["teacher", "knowledge", "student", "evaluation"]
DATA = {"mnist": {"mnist": {"limit": 6000}}, "usps": {"usps": {"limit": 6000}}}
SPLIT = {"seed": 0, "selection": 0.05}
TEACHER = {"cnn": {"widths": [32, 64], "hidden": 128}}
STUDENT = {"cnn": {"widths": [10, 20], "hidden": 40}}

WEAK = ["affine", "elastic", "thickness"]
STRONG = [{"affine": {"degrees": 15, "scale": 0.2, "shear": 0.2, "shift": 0.08}}, "elastic", "thickness", "noise"]
EPOCHS = 24
TRAINING = {
    "epochs": EPOCHS,
    "evaluate_every": EPOCHS,  # the last checkpoint is the only one: nothing is left to choose
    "batch_size": 64,
    "optimiser": "adamw",
    "learning_rate": 0.004,
    "weight_decay": 0.01,
    "schedule": "one_cycle",
    "warmup": 0.3,
    "precision": "bf16",
    "layout": "channels_last",
    "compile": False,
}
INFORMATION = {"information_max": {}, "weight": 0.3}
KL = {"kl": {"temperature": 2.0}}


def mean_teacher(*terms: Any) -> dict[str, Any]:
    return {
        "objectives": ["cross_entropy", INFORMATION, *terms],
        "strong": STRONG,
        "threshold": 0.9,
        "statistics": "target",
    }


DISTILL = {"distill": {"objectives": ["cross_entropy", KL], "statistics": "target"}}
TEACHERS = {
    "source_teacher": {"network": {"network": TEACHER}, "title": "teacher, source only"},
    "adapted_teacher": {
        "network": {"network": TEACHER},
        "method": {"mean_teacher": mean_teacher()},
        "target_augmentation": [],
        "title": "teacher, adapted",
    },
}
UNFRAMED = {
    "plain": {"source_only": {}, "augmentation": [], "title": "source only, no augmentation, not framed"},
    "augmented": {"source_only": {}, "title": "source only, not framed"},
}
FRAMED = {
    "framed": {"source_only": {}, "augmentation": [], "title": "source only, no augmentation"},
    "alone": {"source_only": {}, "title": "source only"},
    "statistics": {"adabn": {}, "start": "alone", "title": "… with the target's BatchNorm statistics"},
    "adapted": {"mean_teacher": mean_teacher(), "target_augmentation": [], "title": "adapted, no teacher"},
    "distilled": {**DISTILL, "teacher": "source_teacher", "title": "distilled from the unadapted teacher"},
    "distilled_from_adapted": {**DISTILL, "teacher": "adapted_teacher", "title": "distilled from the adapted teacher"},
    "distilled_and_adapted": {
        "mean_teacher": mean_teacher(KL),
        "target_augmentation": [],
        "teacher": "adapted_teacher",
        "title": "distilled from the adapted teacher, and adapted",
    },
    "upper_bound": {"target_only": {}, "title": "trained on the target"},
}
PEER_TRAINING = {**TRAINING, "optimiser": "adam", "learning_rate": 0.001, "weight_decay": 0.0, "schedule": "constant"}
SHOT = {
    "source": {"source_only": {"label_smoothing": 0.1}, "title": "full size, source only, as SHOT starts"},
    "shot": {"shot": {}, "start": "source", "title": "peer, full size: SHOT"},
}
SKADA = {"DeepCoral": "peer, full size: skada DeepCORAL", "MCC": "peer, full size: skada MCC"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--rows", nargs="+", choices=[*UNFRAMED, *FRAMED], default=[*UNFRAMED, *FRAMED])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--peers", action="store_true", help="also SHOT, and skada's DeepCORAL and MCC")
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks/digits"))
    chosen = parser.parse_args()
    for seed in chosen.seeds:
        for pair in chosen.pairs:
            for recipe in recipes(pair, seed, chosen.rows, chosen.peers):
                run_recipe(recipe, runs=chosen.runs, stages=STAGES)
            if chosen.peers:
                skada_rows(pair, seed, chosen.runs)
            print(table(chosen.runs, pair), flush=True)


def recipes(pair: str, seed: int, rows: list[str], peers: bool) -> Iterator[dict[str, Any]]:
    """One recipe for each setting of `match`, and the peers'; those that have a row to train."""
    source, target = pair.split("_")
    base = {
        "source": DATA[source],
        "target": DATA[target],
        "split": SPLIT,
        "student": STUDENT,
        "augmentation": WEAK,
        "knowledge": {"views": 8},
        "training": TRAINING,
        "seeds": [seed],
    }
    for kind, known, more in (
        ("unframed", UNFRAMED, {}),
        ("framed", FRAMED, {"match": "frame"}),
        ("peers", SHOT, {"student": TEACHER, "augmentation": [], "training": PEER_TRAINING}),
    ):
        wanted = {name: row for name, row in known.items() if name in rows or (kind == "peers" and peers)}
        if "statistics" in wanted and "alone" not in wanted:
            wanted = {"alone": known["alone"], **wanted}
        if not wanted:
            continue
        used = {row.get("teacher") for row in wanted.values()}
        teachers = {name: teacher for name, teacher in TEACHERS.items() if name in used}
        part = "" if len(wanted) == len(known) else "-" + "+".join(wanted)
        yield {**base, **more, "name": f"{pair}-{seed}-{kind}{part}", "teachers": teachers, "rows": wanted}


def skada_rows(pair: str, seed: int, runs: Path) -> None:
    """Train skada's methods by its own loop, and write down what share of the target's test images is right."""
    import skada.deep

    source, target = domains(pair)
    inputs = [domain.split_inputs("train") for domain in (source, target)]
    labels = torch.cat([source.open("train", "training"), torch.full((len(inputs[1]),), -1)])
    sides = torch.cat([torch.full((len(part),), side) for part, side in zip(inputs, (1, -2), strict=True)])
    for name, title in SKADA.items():
        path = runs / f"{pair}-{seed}-skada" / f"{name}.json"
        if path.exists():
            continue
        torch.manual_seed(seed)
        body = Cnn(**TEACHER["cnn"])
        body.build(source.shape, source.task.outputs)
        network = getattr(skada.deep, name)(
            Unweighted(body),
            layer_name="body.neck",
            max_epochs=EPOCHS,
            batch_size=64,
            optimizer=torch.optim.Adam,
            lr=0.001,
            train_split=None,
            verbose=0,
        )
        started = time.monotonic()
        network.fit(torch.cat(inputs).numpy(), labels.numpy(), sample_domain=sides.numpy())
        seconds = time.monotonic() - started
        said = network.predict(target.split_inputs("test").numpy(), sample_domain=None, allow_source=True)
        right = np.mean(np.asarray(said) == target.open("test", "score").numpy())
        size = sum(parameter.numel() for parameter in body.parameters())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"title": title, "accuracy": float(right), "train_seconds": seconds, "parameters": size})


class Unweighted(torch.nn.Module):
    """A network as skada calls it: with weights, which it does not use."""

    def __init__(self, body: torch.nn.Module):
        super().__init__()
        self.body = body

    def forward(self, inputs: torch.Tensor, sample_weight: torch.Tensor | None = None) -> torch.Tensor:
        return self.body(inputs)


def domains(pair: str) -> tuple[Domain, Domain]:
    parts = {"mnist": Mnist(limit=6000), "usps": Usps(limit=6000)}
    source, target = (parts[name] for name in pair.split("_"))
    return prepare(source.load(), target.load(), source.preprocessing(), SplitSettings(**SPLIT))[:2]


def table(runs: Path, pair: str) -> str:
    """What the run folders hold of a pair, as Markdown: mean ± std over seeds."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for folder in sorted(runs.glob(f"{pair}-*")):
        seed = folder.name.split("-")[1]
        for file in folder.glob("*.json") if folder.name.endswith("-skada") else []:
            row = read_json(file)
            found[row["title"]][seed] = row
        for row in read_json(folder / "results.json")["rows"] if (folder / "results.json").exists() else []:
            found[row["title"]][seed] = {**row, "accuracy": row["target"]["accuracy"]["mean"]}
    lines = [f"\n| {pair.replace('_', ' → ')} | accuracy | seeds | seconds | parameters |", "|---|---|---|---|---|"]
    for title, by_seed in found.items():
        rows = list(by_seed.values())
        mean, spread = mean_std([100 * row["accuracy"] for row in rows])
        seconds, size = (np.mean([row[key] for row in rows]) for key in ("train_seconds", "parameters"))
        lines.append(f"| {title} | {mean:.2f} ± {spread:.2f} | {len(rows)} | {seconds:.0f} | {size:,.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
