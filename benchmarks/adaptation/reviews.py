"""Amazon reviews, 12 pairs, words alone: what a small student gains by denoising, matched shares and self-training.

usage: LIMBECK_DATA=… python benchmarks/adaptation/reviews.py [--seeds 1 2 3] [--pairs books:kitchen …] [--peers]

Copies of a text are dropped. Each seed divides both domains anew: 65 % train, 5 % selection, 30 % test. Inputs: tf-idf
of 5,000 words and pairs of words, the vocabulary of the training texts of both domains. Rows, % right on the target's
test texts:

logistic      logistic regression on the source, its C chosen on the source's selection texts
  matched     the same, its scores shifted (see below)
student       the student (mlp, one hidden layer of 64, 320,000 parameters) on the source's labels
msda          marginalised denoising on both domains' training texts, and a linear model of the source's labels: once
              with tf-idf, once with whether a word occurs, the mean of both scores
  matched     the same, shifted
self_trained  both linear models once more, on the source's labels and those that `matched` gave to the nine tenths of
              the target's training texts it is surest of; the mean, shifted
distilled     the student on the source's labels and soft labels of the target's training texts, by msda,
  matched     by its shifted scores,
  self        and by self_trained
chosen        of these three, for each target the one with the best mean on the six pairs of the other domains
target        logistic regression on the target's labels: the upper bound

Shifted: by a constant, so that as large a share of the target's training texts is called positive as of the source's.
That assumes equal shares. It holds here, where half of each domain is positive, and not everywhere.

--peers: also methods of skada (pip install skada) on the 100 first singular directions of the same tf-idf, with a
logistic regression behind them, and that alone.

No target label is read before the scores, and the last checkpoint counts. The settings were found on three pairs
(books → electronics, dvd → books, electronics → dvd) of another division; `chosen` reads no label of its target.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from _skada_peers import PEERS, predicted
from torch import Tensor

from limbeck.core import Domain, Spec
from limbeck.core.files import read_json, write_json
from limbeck.data import SplitSettings, prepare
from limbeck.data._vectors import VectorPreprocessing
from limbeck.data.text import Text
from limbeck.evaluation import mean_std
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
from limbeck.training import Job, Training, predict, represent, train

FOLDER = Path("runs/benchmarks/reviews")
DOMAINS = ("books", "dvd", "electronics", "kitchen")
PAIRS = tuple(itertools.permutations(DOMAINS, 2))
TAUGHT = ("distilled", "distilled_matched", "distilled_self")
TRAINING = Training(epochs=20, evaluate_every=20, precision="fp32", layout="contiguous", compile=False, device="cpu")
PENALTIES = (0.3, 1.0, 3.0, 10.0)
BELIEVED = 0.9
"""The share of the target's training texts that self-training takes."""

Scores = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--pairs", nargs="+", default=[":".join(pair) for pair in PAIRS])
    parser.add_argument("--peers", action="store_true")
    asked = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in asked.pairs]
    found = {(*pair, seed): known(*pair, seed, "", one_pair) for seed in asked.seeds for pair in pairs}
    if set(pairs) == set(PAIRS):
        with_choice(found, asked.seeds)
    for own in found if asked.peers else ():
        found[own] |= known(*own, "-peers", peers)
    rows = list(next(iter(found.values())))
    print("| pair | " + " | ".join(rows) + " |\n" + "|---" * (len(rows) + 1) + "|")
    table = np.array([[[found[*pair, seed][row] for row in rows] for seed in asked.seeds] for pair in pairs])
    for (source, target), scores in zip(pairs, table, strict=True):
        print(f"| {source} → {target} | {told(scores)} |")
    print(f"| **mean** | {told(table.mean(0))} |")


def told(scores: np.ndarray) -> str:
    """Mean and deviation over the seeds of each row; scores: [seeds, rows]."""
    return " | ".join("{:.1f} ± {:.1f}".format(*mean_std(of_row)) for of_row in scores.T)


def with_choice(found: Mapping[tuple[str, str, int], Scores], seeds: Sequence[int]) -> None:
    """Add `chosen`: the taught student whose setting is best where the pair's target takes no part."""
    for left_out in DOMAINS:
        others = [found[*pair, seed] for pair in PAIRS if left_out not in pair for seed in seeds]
        best = max(TAUGHT, key=lambda row: sum(scores[row] for scores in others))
        for source, target, seed in found:
            if target == left_out:
                found[source, target, seed]["chosen"] = found[source, target, seed][best]


def known(source_name: str, target_name: str, seed: int, what: str, score: Callable[[str, str, int], Scores]) -> Scores:
    """The scores of a pair, computed where no earlier run left them."""
    file = FOLDER / f"{source_name}-{target_name}-{seed}{what}.json"
    if not file.exists():
        start = time.monotonic()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, score(source_name, target_name, seed))
        print(f"{source_name} → {target_name}{what}, seed {seed}: {time.monotonic() - start:.0f} s", flush=True)
    return read_json(file)


def one_pair(source_name: str, target_name: str, seed: int) -> Scores:
    """% right on the target's test texts, by row. A score is the log-odds of the second class."""
    source, target = domains(source_name, target_name, seed, "tfidf")
    views = [denoised(source, target), denoised(*domains(source_name, target_name, seed, "binary"))]
    texts, share = target.splits["train"], float(source.open("train", "class shares").float().mean())

    def matched(scores: np.ndarray) -> np.ndarray:
        return scores - np.quantile(scores[texts], 1 - share)

    msda = joined([said for said, _ in views])
    labels, believed = surest(matched(msda)[texts], share)
    own = source.open("train", "self-training").numpy()
    learnt = [relearnt(read, own, texts[believed], labels) for _, read in views]
    taught = dict(zip(TAUGHT, (msda, matched(msda), matched(joined(learnt))), strict=True))
    test, linear = target.splits["test"], logistic(source, target)
    said = {
        "logistic": linear[test],
        "logistic_matched": matched(linear)[test],
        "student": trained(SourceOnly(), source, target, seed),
        "msda": msda[test],
        "msda_matched": taught["distilled_matched"][test],
        "self_trained": taught["distilled_self"][test],
        **{row: distilled(scores, source, target, seed) for row, scores in taught.items()},
        "target": logistic(target, target)[test],
    }
    truth = target.open("test", "scores").numpy()
    return {row: 100 * float(((scores > 0) == truth).mean()) for row, scores in said.items()}


def peers(source_name: str, target_name: str, seed: int) -> Scores:
    """% right of the peers, and of their logistic regression without them."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.linear_model import LogisticRegression

    source, target = domains(source_name, target_name, seed, "tfidf")
    near, far, test = (
        part.numpy()
        for part in (source.split_inputs("train"), target.split_inputs("train"), target.split_inputs("test"))
    )
    directions = TruncatedSVD(100, random_state=seed).fit(np.concatenate([near, far]))
    near, far, test = (directions.transform(rows) for rows in (near, far, test))
    labels, truth = source.open("train", "peers").numpy(), target.open("test", "scores").numpy()
    alone = LogisticRegression(max_iter=2000).fit(near, labels).predict(test)
    said = {"100 directions": alone} | {name: predicted(name, near, labels, far, test) for name in PEERS}
    return {name: 100 * float((classes == truth).mean()) for name, classes in said.items()}


def denoised(source: Domain, target: Domain) -> tuple[np.ndarray, tuple[Tensor, Tensor]]:
    """What msda says of every text of the target, and what its linear model reads of the source's and the target's."""
    method = built(Msda(), Denoising(), source)
    method.fit(source.view(), target.view())
    student = method.evaluated
    read = represent(student, source.split_inputs("train")), represent(student, target.inputs)
    return odds(predict(student, target.inputs)), read


def joined(scores: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of scores in units of their own size."""
    return np.mean([said / math.sqrt((said**2).mean()) for said in scores], axis=0)


def surest(scores: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the texts they belong to: the lowest and the highest scores, by the classes' shares.

    >>> surest(np.array([0.1, -5.0, 5.0, -4.0, 4.0, -3.0, 3.0, -2.0, 2.0, -0.1]), 0.5)[1].tolist()
    [1, 3, 5, 7, 2, 4, 6, 8]
    """
    order = scores.argsort()
    negative, positive = (int(BELIEVED * len(scores) * part) for part in (1 - share, share))
    rows = np.concatenate([order[:negative], order[::-1][:positive]])
    return np.repeat([0, 1], [negative, positive]), rows


def relearnt(read: tuple[Tensor, Tensor], own: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores of the target's texts by msda's linear model, learnt from its own labels too."""
    from sklearn.linear_model import LogisticRegression

    near, far = (features.numpy() for features in read)
    inputs = np.concatenate([near, far[rows]])
    scale = math.sqrt((inputs**2).sum(1).mean())
    model = LogisticRegression(C=Msda().inverse_penalty, max_iter=2000)
    return model.fit(inputs / scale, np.concatenate([own, labels])).decision_function(far / scale)


def distilled(scores: np.ndarray, source: Domain, target: Domain, seed: int) -> np.ndarray:
    """The student, taught by scores of all texts of the target; as logits their size is 2."""
    said = torch.from_numpy(2 * joined([scores])).float()
    store = Store(Path(), {"logits": torch.stack([-said, said], dim=1)})
    return trained(Distill([CrossEntropy(), Kl(1.0)]), source, target, seed, {"target": store})


def odds(logits: Tensor) -> np.ndarray:
    return (logits[:, 1] - logits[:, 0]).numpy()


def domains(source_name: str, target_name: str, seed: int, weights: str) -> tuple[Domain, Domain]:
    """Both domains, their words those of the training texts of both."""
    folder = Path(os.environ["LIMBECK_DATA"]) / "amazon_reviews"
    split = SplitSettings(seed=seed, selection=0.05, test=0.3)
    settings = {"text": ["title", "text"], "label": "label", "ngrams": 2, "weights": weights, "deduplicate": True}
    source, target = (Text(folder / f"{name}.csv.gz", **settings).load() for name in (source_name, target_name))
    blank = (replace(raw, inputs=np.zeros((len(raw), 1))) for raw in (source, target))  # to learn the division alone
    rows = prepare(*blank, VectorPreprocessing(), split)[1].splits["train"]
    with tempfile.TemporaryDirectory() as made:
        unlabelled = Path(made) / "unlabelled.csv"
        target.inputs.iloc[rows].to_csv(unlabelled, index=False)
        words = Text(folder / f"{source_name}.csv.gz", **settings, unlabelled=unlabelled)
        return prepare(source, target, words.preprocessing(), split)[:2]


def built(method: Method, network: Network, source: Domain) -> Method:
    network.build(source.shape, source.task.outputs)
    student = Observed(network)
    method.build(student, source.task, student.spec(source.shape), Spec(source.task.outputs))
    return method


def trained(
    method: Method, source: Domain, target: Domain, seed: int, stores: Mapping[str, Store] | None = None
) -> np.ndarray:
    """The student's scores of the target's test texts."""
    torch.manual_seed(seed)
    built(method, Mlp(hidden=(64,), dropout=0.5), source)
    views = {"source": source.view(), "target": target.view()}
    with tempfile.TemporaryDirectory() as folder:
        train(Job("row", Path(folder), method, views, stores or {}, TRAINING, seed, last, "last", {}))
    return odds(predict(method.evaluated, target.split_inputs("test")))


def last(*selection: Tensor) -> dict[str, float]:
    """There is one evaluation, at the end, and so nothing to choose."""
    return {"last": 0.0}


def logistic(learnt: Domain, target: Domain) -> np.ndarray:
    """Scores of all texts of the target, by a logistic regression of the training texts of `learnt`."""
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    inputs, checked = (csr_array(learnt.split_inputs(split).numpy()) for split in ("train", "selection"))
    labels, truth = (learnt.open(split, "logistic regression").numpy() for split in ("train", "selection"))
    models = [LogisticRegression(C=penalty, max_iter=1000).fit(inputs, labels) for penalty in PENALTIES]
    best = max(models, key=lambda model: model.score(checked, truth))
    return best.decision_function(csr_array(target.inputs.numpy()))


if __name__ == "__main__":
    start = time.monotonic()
    torch.set_num_threads(1)
    main()
    print(f"{time.monotonic() - start:.0f} s on one core")
