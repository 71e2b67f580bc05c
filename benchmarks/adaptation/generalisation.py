"""Domain generalisation: leave one digit domain out, train on the three others, and see nothing of it before the test.

usage: python -m benchmarks.adaptation.generalisation [DOMAIN ...]   domains: scan photo mnist usps; needs $LIMBECK_DATA

At most 1,500 images a domain, grey, 16×16. One small student and one setting for all methods; checkpoints are chosen on
the source's selection split. The teachers of `distilled` know one of the three domains each, and answer together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from limbeck.core import Knowledge, Spec, Task
from limbeck.core.files import read_json
from limbeck.core.weights import fingerprint, load_weights, read_weights
from limbeck.data import Data
from limbeck.data._images import ImagePreprocessing
from limbeck.data.digits import Digits
from limbeck.data.mnist import Mnist
from limbeck.data.usps import Usps
from limbeck.networks.cnn import Cnn
from limbeck.recipes import run_recipe
from limbeck.teachers import Teacher

RUNS = Path("runs/benchmarks/generalisation")
LIMIT, SIZE, SEEDS = 1500, 16, 3
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32).reshape(1, 3, 1, 1)
DOMAINS: dict[str, Data] = {"scan": Digits("scan"), "photo": Digits("photo"), "mnist": Mnist(), "usps": Usps()}
STUDENT = {"cnn": {"widths": [16, 32], "hidden": 64}}
WIDE = {"widths": [32, 64], "hidden": 128}
COMMON: dict[str, Any] = {
    "training": {
        "epochs": 10,
        "batch_size": 64,
        "precision": "fp32",
        "layout": "channels_last",
        "compile": False,
    },
    "validator": "source_validation",
    "seeds": SEEDS,
}
ROWS: dict[str, Any] = {
    "pooled": "source_only",
    "mixup": "domain_mixup",
    "coral": {"distill": {"objectives": ["cross_entropy", {"align_sources": {"distance": "coral"}}]}},
    "group_dro": "group_dro",
    "averaged": "weight_average",
    "distilled": {
        "distill": {
            "objectives": ["cross_entropy", {"kl": {"temperature": 2.0}, "on": "source"}],
        }
    },
}


class DomainTeachers(Teacher):
    """Several small networks, each trained on a domain of its own; the mean of their probabilities is the answer.

    weights: a safetensors file for each.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __init__(self, weights: list[str]):
        self.weights = weights
        self.networks = [Cnn(**WIDE) for _ in weights]

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        self.outputs = task.outputs
        for network, path in zip(self.networks, self.weights, strict=True):
            network.build(shape, task.outputs)
            load_weights(network, read_weights(Path(path))[0], path)
            network.eval()

    def spec(self) -> Spec:
        return Spec(self.outputs)

    @torch.no_grad()
    def label(self, inputs: Tensor) -> Knowledge:
        return Knowledge(torch.stack([network(inputs).softmax(1) for network in self.networks]).mean(0).log())

    def fingerprint(self) -> str:
        return fingerprint(*(network.state_dict() for network in self.networks))


def main(left_out: list[str]) -> None:
    paths = {name: written(name, data) for name, data in DOMAINS.items()}
    teachers = {name: taught(name, path) for name, path in paths.items()}
    found = {name: generalised(name, paths, teachers) for name in left_out}
    print("\n| accuracy on the domain left out, % | " + " | ".join(found) + " | mean |")
    print("|" + "---|" * (len(found) + 2))
    for row in ROWS:
        scores = np.array([seeds[row] for seeds in found.values()])  # [domains, seeds]
        cells = [f"{100 * s.mean():.1f} ± {100 * s.std(ddof=1):.1f}" for s in [*scores, scores.mean(0)]]
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)


def written(name: str, data: Data) -> str:
    """A domain's images in a shape that all share, as a file; the images of an official training split alone."""
    path = RUNS / "domains" / f"{name}.npz"
    if not path.exists():
        raw = data.load()
        images, labels = np.asarray(raw.inputs[:]), np.asarray(raw.labels)
        kept = np.flatnonzero(~raw.test if raw.test is not None and len(raw) > LIMIT else np.ones(len(raw), dtype=bool))
        kept = np.random.default_rng(0).permutation(kept)[:LIMIT]
        grey = (images[kept] * LUMA).sum(1, keepdims=True) if images.ndim == 4 else images[kept]
        made = ImagePreprocessing(SIZE, normalise=False).fit(grey).transform(grey)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, inputs=made.numpy().clip(0, 1), labels=labels[kept].astype(str))
    return str(path)


def part(path: str) -> dict[str, Any]:
    return {"arrays": {"path": path, "scale": "none"}}


def taught(name: str, path: str) -> str:
    """The weights of a network trained on one domain alone, which also stands for the target that nobody reads."""
    recipe = {**COMMON, "name": f"teacher_{name}", "source": part(path), "target": part(path), "seeds": 1}
    recipe |= {"student": {"cnn": WIDE}, "rows": {"alone": "source_only"}}
    (folder,) = run_recipe(recipe, runs=RUNS, stages=["student"], quiet=True)
    return str(folder / "students" / "alone" / "0" / "weights.safetensors")


def generalised(name: str, paths: dict[str, str], teachers: dict[str, str]) -> dict[str, list[float]]:
    """The accuracy on the domain left out, by row and seed."""
    others = [other for other in DOMAINS if other != name]
    recipe = {
        **COMMON,
        "name": f"without_{name}",
        "source": {"several": {"parts": [part(paths[other]) for other in others]}},
        "target": part(paths[name]),
        "teacher": {"benchmarks.adaptation.generalisation:DomainTeachers": {"weights": [teachers[o] for o in others]}},
        "student": STUDENT,
        "rows": ROWS,
    }
    (folder,) = run_recipe(recipe, runs=RUNS, stages=["knowledge", "student", "evaluation"])
    rows = read_json(folder / "results.json")["rows"]
    return {row["name"]: [seed["target"]["accuracy"] for seed in row["seeds"]] for row in rows if row["name"] in ROWS}


if __name__ == "__main__":
    main(sys.argv[1:] or list(DOMAINS))
