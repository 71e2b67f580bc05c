"""Candidates to choose among: 16 tasks of 4 families, 7 settings each, 10 checkpoints a setting.

What a validator may read of a candidate is stored beside how well it does on held-out target samples; `Candidates`
gives them apart. Trainings are small on purpose, and what exists is not trained again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from torch import Tensor

from limbeck.core import Domain, Spec, Task, generator
from limbeck.core.files import atomic_path
from limbeck.data import Data, SplitSettings, prepare
from limbeck.data.arrays import Arrays
from limbeck.data.csv import Csv
from limbeck.data.digits import Digits
from limbeck.data.mnist import Mnist
from limbeck.data.text import Text
from limbeck.data.usps import Usps
from limbeck.distances.coral import Coral
from limbeck.distances.mmd import Mmd
from limbeck.evaluation import Observations, headline, mixed_consistency, sample_scores, statistic_for
from limbeck.methods import Method
from limbeck.methods.distill import Distill
from limbeck.networks import Network, Observed
from limbeck.networks.cnn import Cnn
from limbeck.networks.mlp import Mlp
from limbeck.objectives import Term
from limbeck.objectives.adversarial import Adversarial
from limbeck.objectives.align import Align
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.information_max import InformationMax
from limbeck.objectives.mcc import Mcc
from limbeck.training import Job, Training, predict, represent, train

FOLDER = Path("runs/benchmarks/regret")
SEEN, TRAINED, TESTED = 1000, 500, 2500
"""At most so many samples of a selection split, and of the source's training split, are shown to the validators, and
so many of the target's test split decide with its selection split."""

HALVES = 200
"""Random divisions in two for `by_half_of_the_labels`."""

HELD_OUT = {"selection": SEEN, "test": TESTED}

SETTINGS: dict[str, Callable[[], list[Term]]] = {
    "source": lambda: [],
    "mmd": lambda: [Term(Align(Mmd()), 1.0)],
    "mmd_strong": lambda: [Term(Align(Mmd()), 10.0)],
    "coral": lambda: [Term(Align(Coral()), 10.0)],
    "adversarial": lambda: [Term(Adversarial(), 1.0)],
    "information": lambda: [Term(InformationMax(), 1.0)],
    "mcc": lambda: [Term(Mcc(), 1.0)],
}


@dataclass(frozen=True)
class Pair:
    """A task: two domains of one family, a student, and how long it learns."""

    family: str
    name: str
    source: Callable[[], Data]
    target: Callable[[], Data]
    student: Callable[[], Network]
    epochs: int = 20
    rate: float = 2e-3

    def domains(self, seed: int) -> tuple[Domain, Domain]:
        source, target = self.source(), self.target()
        raw = source.load(), target.load()
        return prepare(*raw, source.preprocessing(), SplitSettings(seed=seed, selection=0.3, test=0.3))[:2]


class Candidates:
    """The checkpoints of one task and seed, one after another, and the truth about them."""

    def __init__(self, pair: Pair, seed: int):
        self.folder = FOLDER / pair.family / pair.name / str(seed)
        self._files = [np.load(self.folder / f"{setting}.npz") for setting in SETTINGS]

    @cached_property
    def observations(self) -> list[Observations]:
        return [seen for file in self._files for seen in _observations(file)]

    @cached_property
    def mixed(self) -> np.ndarray:
        """[candidates, 2]: `MixedConsistency`, which needs the network and was computed with it."""
        return np.concatenate([file["mixed"] for file in self._files])

    @cached_property
    def truth(self) -> np.ndarray:
        """[candidates], in %: the headline metric on the target's selection and test samples."""
        return self._measured(np.ones((1, len(self._labels))))[0]

    @cached_property
    def by_half_of_the_labels(self) -> float:
        """In %: what choosing by the labels of a random half of these samples gives on the other half, on average."""
        random, parts = generator(0, "halves"), np.zeros((HALVES, len(self._labels)))
        for part in parts:
            for label in np.unique(self._labels):
                of_class = random.permutation(np.flatnonzero(self._labels == label))
                part[of_class[: (len(of_class) + random.integers(2)) // 2]] = 1
        chosen = self._measured(parts).argmax(1)
        return float(self._measured(1 - parts)[np.arange(HALVES), chosen].mean())

    @cached_property
    def _labels(self) -> np.ndarray:
        return self._files[0]["labels"]

    def _measured(self, weights: np.ndarray) -> np.ndarray:
        """[weightings, candidates], in %."""
        right, labels = np.concatenate([file["right"] for file in self._files]), torch.from_numpy(self._labels)
        metric, _ = headline(self.observations[0].task, labels)
        return 100 * statistic_for(metric, labels)(weights, right.astype(float))


def _observations(file: np.lib.npyio.NpzFile) -> Iterator[Observations]:
    arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    classes = arrays["source_logits"].shape[2]
    task = Task("classification", tuple(map(str, range(classes))))
    for i in range(len(arrays["source_logits"])):
        named = ("source_logits", "target_logits", "source_features", "source_train_features", "target_features")
        shown = {name: arrays[name][i].float() for name in (*named, "head_weight")}
        yield Observations(source_labels=arrays["source_labels"], task=task, **shown)


def build(pair: Pair, seed: int) -> Candidates:
    """Train what is not there yet."""
    folder = FOLDER / pair.family / pair.name / str(seed)
    missing = [setting for setting in SETTINGS if not (folder / f"{setting}.npz").exists()]
    if missing:
        domains = pair.domains(seed)
        for setting in missing:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(folder / f"{setting}.npz") as path, path.open("wb") as file:
                np.savez(file, **trained(pair, *domains, setting, seed))
            print(f"{pair.family}, {pair.name}, seed {seed}: {setting}", flush=True)
    return Candidates(pair, seed)


def trained(pair: Pair, source: Domain, target: Domain, setting: str, seed: int) -> dict[str, np.ndarray]:
    """Every checkpoint's outputs, by name [checkpoints, ...], and where it is right on the held-out samples."""
    torch.manual_seed(seed)
    network = pair.student()
    network.build(source.shape, source.task.outputs)
    student = Observed(network)
    method = Distill([CrossEntropy(), *SETTINGS[setting]()])
    method.build(student, source.task, student.spec(source.shape), Spec(0))
    seen: list[dict[str, np.ndarray]] = []

    def watch(*selection: Tensor) -> dict[str, float]:
        seen.append(_seen(method, source, target))
        return {"last": float(len(seen))}

    views = {"source": source.view(), "target": target.view()}
    settings = Training(
        epochs=pair.epochs,
        evaluate_every=pair.epochs // 10,
        learning_rate=pair.rate,
        precision="fp32",
        layout="contiguous",
        compile=False,
        device="cpu",
    )
    with tempfile.TemporaryDirectory() as folder:
        train(Job(setting, Path(folder), method, views, {}, settings, seed, watch, "last", {}))
    found = {name: np.stack([each[name] for each in seen]) for name in seen[0]}
    said = torch.from_numpy(np.concatenate([found["target_logits"], found.pop("test_logits")], axis=1))
    labels = torch.cat([target.open(split, "regret")[:limit] for split, limit in HELD_OUT.items()])
    truth = {"labels": labels.numpy(), "right": sample_scores(said, labels, target.task).astype(bool)}
    return found | truth | {"source_labels": source.open("selection", "validators")[:SEEN].numpy()}


def _seen(method: Method, source: Domain, target: Domain) -> dict[str, np.ndarray]:
    student = method.evaluated
    near, far = (domain.split_inputs("selection", SEEN) for domain in (source, target))
    far_logits = predict(student, far)
    shown = {
        "source_logits": predict(student, near),
        "target_logits": far_logits,
        "test_logits": predict(student, target.split_inputs("test", TESTED)),
        "source_features": represent(student, near),
        "target_features": represent(student, far),
        "source_train_features": represent(student, source.split_inputs("train", TRAINED)),
        "head_weight": student.network.get_submodule(student.head).weight.detach().clone(),
    }
    mixed = mixed_consistency(lambda inputs: predict(student, inputs), far, far_logits)
    return {"mixed": np.array(mixed)} | {name: value.numpy() for name, value in shown.items()}


def _file(*parts: str) -> Path:
    return Path(os.environ["LIMBECK_DATA"], *parts)


def _hospital(name: str) -> Callable[[], Data]:
    return lambda: Csv(_file("heart_disease", f"{name}.csv"), label="num > 0")


def _review(name: str) -> Callable[[], Data]:
    settings = {"text": ["title", "text"], "label": "label", "max_features": 2000, "deduplicate": True}
    return lambda: Text(_file("amazon_reviews", f"{name}.csv.gz"), **settings)


def _surf(name: str) -> Callable[[], Data]:
    def read() -> Data:
        found = loadmat(_file("office_caltech10", f"{name}_SURF_L10.mat"))
        histograms = found["fts"].astype(np.float32)
        return Arrays(histograms / histograms.sum(1, keepdims=True), labels=found["labels"].ravel().astype(str))

    return read


def _digits() -> list[Pair]:
    def student() -> Network:
        return Cnn(widths=[16, 32], hidden=64)

    parts: dict[str, Callable[[], Data]] = {
        "scan": lambda: Digits("scan"),
        "photo": lambda: Digits("photo"),
        "mnist": lambda: Mnist(limit=2000),
        "usps": lambda: Usps(limit=2000),
    }
    pairs = (("scan", "photo"), ("photo", "scan"), ("mnist", "usps"), ("usps", "mnist"))
    return [Pair("digits", f"{s} → {t}", parts[s], parts[t], student) for s, t in pairs]


def _vectors(
    family: str, part: Callable[[str], Callable[[], Data]], pairs: str, student: Callable[[], Network], rate: float
) -> list[Pair]:
    named = [pair.split(":") for pair in pairs.split()]
    return [Pair(family, f"{s} → {t}", part(s), part(t), student, rate=rate) for s, t in named]


HOSPITALS = "cleveland:hungary hungary:cleveland cleveland:va_long_beach va_long_beach:hungary"
REVIEWS = "books:kitchen kitchen:dvd dvd:electronics electronics:books"
OBJECTS = "Caltech10:amazon amazon:webcam webcam:Caltech10 Caltech10:webcam"

PAIRS = [
    *_digits(),
    *_vectors("hospitals", _hospital, HOSPITALS, lambda: Mlp(hidden=[16]), 3e-3),
    *_vectors("reviews", _review, REVIEWS, lambda: Mlp(hidden=[32], dropout=0.3), 1e-3),
    *_vectors("objects", _surf, OBJECTS, lambda: Mlp(hidden=[64], dropout=0.3), 1e-3),
]
