"""Amazon reviews, 12 pairs, words alone: what a small student gains by denoising features and distillation.

usage: LIMBECK_DATA=… python benchmarks/adaptation/reviews.py [--seeds 1 2 3] [--pairs books:kitchen …]

Copies of a text are dropped. Each seed divides both domains anew: 65 % train, 5 % selection, 30 % test. Inputs: tf-idf
of 5,000 words and pairs of words, the vocabulary of the training texts of both domains. Rows, % right on the target's
test texts:

logistic     logistic regression on the source, its C chosen on the source's selection texts
student      the student (mlp, one hidden layer of 64, 320,000 parameters) on the source's labels
msda_tfidf   marginalised denoising on both domains' training texts, and a linear model of the source's labels
msda_binary  the same, of whether a word occurs
distilled    the student on the source's labels and soft labels of the target's training texts: the mean of the
             logits of both msda, each scaled to a deviation of 2
target       logistic regression on the target's labels: the upper bound

No target label is read before the scores, and nothing is chosen by them: the last checkpoint counts, and the settings
below are those of every pair.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limbeck.core import Domain, Spec
from limbeck.data import SplitSettings, prepare
from limbeck.data.text import Text
from limbeck.knowledge import Store
from limbeck.methods import Method
from limbeck.methods.distill import Distill
from limbeck.methods.msda import Msda
from limbeck.methods.source_only import SourceOnly
from limbeck.networks import Network, Observed
from limbeck.networks.denoising import Denoising
from limbeck.networks.mlp import Mlp
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl
from limbeck.training import Job, Training, predict, train

DOMAINS = ("books", "dvd", "electronics", "kitchen")
ROWS = ("logistic", "student", "msda_tfidf", "msda_binary", "distilled", "target")
TRAINING = Training(epochs=20, evaluate_every=20, precision="fp32", layout="contiguous", compile=False, device="cpu")
PENALTIES = (0.3, 1.0, 3.0, 10.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--pairs", nargs="+", default=[":".join(pair) for pair in itertools.permutations(DOMAINS, 2)])
    chosen = parser.parse_args()
    print(f"{'pair':24}" + "".join(f"{row:>14}" for row in ROWS), flush=True)
    found = []
    for pair in chosen.pairs:
        source, target = pair.split(":")
        scores = np.array([list(one_pair(source, target, seed).values()) for seed in chosen.seeds])
        found.append(scores)
        print(f"{source + ' → ' + target:24}" + told(scores.mean(0), scores.std(0)), flush=True)
    by_seed = np.mean(found, axis=0)
    print(f"{'mean':24}" + told(by_seed.mean(0), by_seed.std(0)))


def told(means: np.ndarray, deviations: np.ndarray) -> str:
    return "".join(f"{f'{mean:.1f} ± {spread:.1f}':>14}" for mean, spread in zip(means, deviations, strict=True))


def one_pair(source_name: str, target_name: str, seed: int) -> dict[str, float]:
    """% right on the target's test texts, by row."""
    source, target = domains(source_name, target_name, seed, "tfidf")
    said = {"tfidf": denoised(source, target), "binary": denoised(*domains(source_name, target_name, seed, "binary"))}
    scaled = [2 * logits / logits.std() for logits in said.values()]
    store = Store(Path(), {"logits": torch.stack(scaled).mean(0)})
    test = torch.from_numpy(target.splits["test"])
    logits = {
        "logistic": logistic(source, target),
        "student": trained(SourceOnly(), source, target, seed),
        "msda_tfidf": said["tfidf"][test],
        "msda_binary": said["binary"][test],
        "distilled": trained(Distill([CrossEntropy(), Kl(1.0)]), source, target, seed, {"target": store}),
        "target": logistic(target, target),
    }
    truth = target.open("test", "scores")
    return {row: 100 * float((logits[row].argmax(1) == truth).float().mean()) for row in ROWS}


def denoised(source: Domain, target: Domain) -> Tensor:
    """What msda says of every text of the target."""
    method = built(Msda(), Denoising(), source)
    method.fit(source.view(), target.view())
    return predict(method.evaluated, target.inputs)


def domains(source_name: str, target_name: str, seed: int, weights: str) -> tuple[Domain, Domain]:
    """Both domains, their words those of the training texts of both."""
    folder = Path(os.environ["LIMBECK_DATA"]) / "amazon_reviews"
    split = SplitSettings(seed=seed, selection=0.05, test=0.3)
    settings = {"text": ["title", "text"], "label": "label", "ngrams": 2, "weights": weights, "deduplicate": True}
    source, target = (Text(folder / f"{name}.csv.gz", **settings) for name in (source_name, target_name))
    raw = source.load(), target.load()
    rows = prepare(*raw, source.preprocessing(), split)[1].splits["train"]
    with tempfile.TemporaryDirectory() as made:
        unlabelled = Path(made) / "unlabelled.csv"
        raw[1].inputs.iloc[rows].to_csv(unlabelled, index=False)
        words = Text(folder / f"{source_name}.csv.gz", **settings, unlabelled=unlabelled)
        return prepare(*raw, words.preprocessing(), split)[:2]


def built(method: Method, network: Network, source: Domain) -> Method:
    network.build(source.shape, source.task.outputs)
    student = Observed(network)
    method.build(student, source.task, student.spec(source.shape), Spec(source.task.outputs))
    return method


def trained(
    method: Method, source: Domain, target: Domain, seed: int, stores: Mapping[str, Store] | None = None
) -> Tensor:
    """The student's logits of the target's test texts."""
    torch.manual_seed(seed)
    built(method, Mlp(hidden=(64,), dropout=0.5), source)
    views = {"source": source.view(), "target": target.view()}
    with tempfile.TemporaryDirectory() as folder:
        job = Job("row", Path(folder), method, views, stores or {}, TRAINING, seed, last, "last", {})
        train(job)
    return predict(method.evaluated, target.split_inputs("test"))


def last(source_logits: Tensor, source_labels: Tensor, target_logits: Tensor) -> dict[str, float]:
    """There is one evaluation, at the end, and so nothing to choose."""
    return {"last": 0.0}


def logistic(learnt: Domain, target: Domain) -> Tensor:
    """Scores of the target's test texts, by a logistic regression of the training texts of `learnt`."""
    from sklearn.linear_model import LogisticRegression

    inputs, labels = learnt.split_inputs("train").numpy(), learnt.open("train", "logistic regression").numpy()
    checked, truth = learnt.split_inputs("selection").numpy(), learnt.open("selection", "logistic regression").numpy()
    models = [LogisticRegression(C=penalty, max_iter=1000).fit(inputs, labels) for penalty in PENALTIES]
    best = max(models, key=lambda model: model.score(checked, truth))
    return torch.from_numpy(best.predict_proba(target.split_inputs("test").numpy()))


if __name__ == "__main__":
    start = time.monotonic()
    torch.set_num_threads(1)
    main()
    print(f"{time.monotonic() - start:.0f} s on one core")
