"""The shallow methods on Office-Caltech10 with SURF features: 12 tasks, one setting for all.

usage: LIMBECK_DATA=… python benchmarks/adaptation/office_caltech.py [METHOD ... | peers]   it goes on where it stopped

The usual transductive protocol: all of the source with its labels, all of the target without; the same target samples
are adapted to and tested on, and their labels are read once, for the score. Histograms are divided by their sums,
as is usual, then standardised by the method. `none` is the same linear model, unadapted. Nothing is drawn by chance.

Settings are the methods' defaults, and those of `meda` and `jda_paper` the ones that their papers give for these data;
the defaults of `jda` were once chosen among three on these very tasks, so that its figure is not clean. `peers`: those
of skada (pip install skada) on the same histograms.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from _skada_peers import PEERS, predicted
from scipy.io import loadmat
from torch import Tensor

from limbeck.core import DomainView, Spec, Task
from limbeck.core.files import read_json, write_json
from limbeck.methods import Method
from limbeck.methods.coral_map import CoralMap
from limbeck.methods.jda import Jda
from limbeck.methods.jdot import Jdot
from limbeck.methods.kliep import Kliep
from limbeck.methods.kmm import Kmm
from limbeck.methods.meda import Meda
from limbeck.methods.subspace_alignment import SubspaceAlignment
from limbeck.methods.tca import Tca
from limbeck.methods.transport_map import TransportMap
from limbeck.networks import INPUTS, Observed
from limbeck.training import predict

RUNS = Path("runs/benchmarks/office_caltech")
FILES = {"C": "Caltech10", "A": "amazon", "W": "webcam", "D": "dslr"}
METHODS: dict[str, Callable[[], Method]] = {
    "none": lambda: CoralMap(ridge=1e9, standardise="source"),  # so large a ridge moves nothing
    "coral_map": CoralMap,
    "subspace_alignment": SubspaceAlignment,
    "transport_map": TransportMap,
    "jdot": Jdot,
    "tca": Tca,
    "kliep": Kliep,
    "kmm": Kmm,
    "jda": Jda,
    "jda_paper": lambda: Jda(components=100, penalty=1.0),
    "meda": Meda,
}


Domain = tuple[Tensor, Tensor]


def main(names: list[str]) -> None:
    domains = {name: read(file) for name, file in FILES.items()}
    tasks = list(permutations(FILES, 2))
    print("| method | " + " | ".join(f"{s}→{t}" for s, t in tasks) + " | mean | seconds |")
    print("|" + "---|" * (len(tasks) + 3))
    for name in PEERS if names == ["peers"] else names or METHODS:
        path = RUNS / f"{name}.json"
        if not path.exists():
            started = time.perf_counter()
            scores = [accuracy(name, domains[source], domains[target]) for source, target in tasks]
            write_json(path, {"scores": scores, "seconds": time.perf_counter() - started})
        done = read_json(path)
        cells = " | ".join("fails" if score is None else f"{score:.1f}" for score in done["scores"])
        mean = "" if None in done["scores"] else f"{np.mean(done['scores']):.1f}"
        print(f"| {name} | {cells} | {mean} | {done['seconds']:.0f} |", flush=True)


def read(file: str) -> Domain:
    """Histograms [n, 800] that sum to 1, and classes [n]."""
    found = loadmat(Path(os.environ["LIMBECK_DATA"]) / "office_caltech10" / f"{file}_SURF_L10.mat")
    inputs = torch.from_numpy(found["fts"].astype(np.float32))
    return inputs / inputs.sum(1, keepdim=True), torch.from_numpy(found["labels"].ravel().astype(np.int64)) - 1


def accuracy(name: str, source: Domain, target: Domain) -> float | None:
    """Per cent of the target samples that the adapted model gets right; None of a peer that finds no model."""
    rows = source[0].double().numpy(), source[1].numpy(), target[0].double().numpy()
    try:
        said = predicted(name, *rows, rows[2]) if name in PEERS else adapted(METHODS[name](), source, target[0])
    except ValueError as error:
        if name not in PEERS:
            raise
        print(f"{name} fails: {error}", flush=True)
        return None
    return 100 * float((said == target[1].numpy()).mean())


def adapted(method: Method, source: Domain, target: Tensor) -> np.ndarray:
    """Classes of the target's samples."""
    task = Task("classification", tuple("0123456789"))
    body = Observed(torch.nn.Linear(source[0].shape[1], 10), [INPUTS])
    method.build(body, task, body.spec((source[0].shape[1],)), Spec(0))
    none = torch.arange(0)
    method.fit(
        DomainView("source", source[0], {"train": torch.arange(len(source[0]))}, {"train": source[1]}),
        DomainView("target", target, {"train": torch.arange(len(target)), "labelled": none}),
    )
    return predict(method.evaluated, target).argmax(1).numpy()


if __name__ == "__main__":
    main(sys.argv[1:])
