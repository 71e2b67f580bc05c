"""Heart disease, Cleveland to three other hospitals: a small student beside boosting, forests and CORAL, 20 halves.

usage: LIMBECK_DATA=… python benchmarks/adaptation/hospitals.py [--halves 20]      it goes on where it was stopped

Each hospital is divided 20 times, by class: one half is adapted to without labels, the other is the test, whose labels
are read once, for the scores. The hospitals lack most of what Cleveland knows (vessels, thallium scan, slope), so the
student's source is `lacking`: Cleveland's rows with the gaps of the unlabelled half. A cholesterol of 0 stands for a
missing value. The settings of the networks were chosen by their scores on Cleveland's own patients with those gaps,
before any other hospital's label was read; they are the same for all hospitals and halves.

Rows, per cent, mean ± standard deviation over halves:

complete rows      the student on Cleveland as it is
gaps of target     the student on `lacking`
distilled          the student on `lacking`, taught the unlabelled half by the teacher
teacher            a wider network on `lacking`
forest distilled   the student as before, taught by the forest
forest             extremely randomised trees on `lacking`

Peers learn from all of Cleveland, with missing values as boosting takes them or their medians, once from the tables as
they are and once with the zeros taken for missing (°). CORAL: each domain standardised, covariances aligned.
Interval: of a difference of two rows on the same halves, by the corrected t-test of Nadeau & Bengio 2003, since halves
of one hospital share patients and are no independent samples.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student_t
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from limbeck.core import Spec, generator
from limbeck.core.files import read_json, write_json
from limbeck.data import SplitSettings, prepare
from limbeck.data.csv import Csv
from limbeck.data.lacking import Lacking
from limbeck.evaluation import classification_metrics
from limbeck.knowledge import Store
from limbeck.methods.coral_map import recoloured
from limbeck.methods.distill import Distill
from limbeck.networks import Observed
from limbeck.networks.mlp import Mlp
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl
from limbeck.recipes import run_recipe
from limbeck.training import Job, Training, predict, train

RUNS = Path("runs/benchmarks/hospitals")
TARGETS = ("hungary", "switzerland", "va_long_beach")
METRICS = ("balanced_accuracy", "auc")
OURS = ("complete rows", "gaps of target", "distilled", "teacher", "forest distilled", "forest")
MISSING = {"chol": 0}
Scores = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--halves", type=int, default=20)
    halves = parser.parse_args().halves
    found: list[list[Scores]] = []
    for half in range(halves):
        found.append([scores_of(target, half) for target in TARGETS])
        print(f"half {half + 1} of {halves}", flush=True)
    names = list(found[0][0])
    table = np.array([[[cell[name] for name in names] for cell in row] for row in found]) * 100
    show(names, table)


def scores_of(target: str, half: int) -> Scores:
    """Balanced accuracy and AUC of every row on one test half, in [0, 1]."""
    path = RUNS / "scores" / f"{target}_{half}.json"
    if not path.exists():
        table = divided(target, half)
        scores = students(table, half) | forest(table, half) | peers(table, half)
        write_json(path, {name: scores[name] for name in (*OURS, *scores)})
    return read_json(path)


def divided(target: str, half: int) -> Path:
    """The hospital's table with a column that says which half a row is in."""
    path = RUNS / "tables" / f"{target}_{half}.csv"
    frame = pd.read_csv(folder() / f"{target}.csv")
    random, test = generator(half, "halves", target), np.zeros(len(frame), dtype=bool)
    for ill in (False, True):
        rows = random.permutation(np.flatnonzero((frame["num"] > 0) == ill))
        test[rows[: len(rows) // 2]] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.assign(half=np.where(test, "test", "unlabelled")).to_csv(path, index=False)
    return path


def folder() -> Path:
    return Path(os.environ["LIMBECK_DATA"]) / "heart_disease"


def students(table: Path, half: int) -> Scores:
    network = {"network": {"network": {"mlp": {"hidden": [64], "dropout": 0.5}}}}
    objectives = ["cross_entropy", {"kl": {"temperature": 2.0}}]
    plain = run(f"{table.stem}_plain", table, half, {"source": cleveland(), "rows": {"complete rows": "source_only"}})
    rows = {"gaps of target": "source_only", "distilled": {"distill": {"objectives": objectives}}}
    gaps = run(f"{table.stem}_gaps", table, half, {"source": lacking(table, half), "teacher": network, "rows": rows})
    return plain | gaps


def forest(table: Path, half: int) -> Scores:
    """The student taught by trees, which are no network, so that their answers are handed over in a store."""
    rows = Csv(folder() / "cleveland.csv", label="num > 0", missing=MISSING)
    like = Csv(table, name=table.stem, where={"half": "unlabelled"}, drop=["num"], missing=MISSING)
    data = Lacking(rows, like, copies=6, seed=half)
    there = Csv(table, label="num > 0", test={"half": "test"}, missing=MISSING)
    split = SplitSettings(half, 0.1, 0.1)
    source, target, _, task = prepare(data.load(), there.load(), data.preprocessing(), split)
    trees = ExtraTreesClassifier(300, min_samples_leaf=15, class_weight="balanced", random_state=half)
    trees.fit(source.split_inputs("train").numpy(), source.open("train", "forest").numpy())
    said = torch.from_numpy(np.log(trees.predict_proba(target.inputs.numpy()).clip(1e-6))).float()
    torch.manual_seed(half)
    network = Mlp(hidden=[16], dropout=0.3)
    network.build(source.shape, task.outputs)
    method, student = Distill([CrossEntropy(), Kl(2.0)]), Observed(network)
    method.build(student, task, student.spec(source.shape), Spec(task.outputs))
    views, store = {"source": source.view(), "target": target.view()}, {"target": Store(Path(), {"logits": said})}
    with tempfile.TemporaryDirectory() as place:
        settings = Training(**training(10), device="cpu")
        train(Job("forest", Path(place), method, views, store, settings, half, last, "last", {}))
    test = torch.from_numpy(target.splits["test"])
    logits = {"forest distilled": predict(method.evaluated, target.split_inputs("test")), "forest": said[test]}
    truth = target.open("test", "scores")
    found = {name: classification_metrics(value, truth, task.classes) for name, value in logits.items()}
    return {name: [metrics[metric] for metric in METRICS] for name, metrics in found.items()}


def last(source_logits: Tensor, source_labels: Tensor, target_logits: Tensor) -> dict[str, float]:
    """There is one evaluation, at the end, and so nothing to choose."""
    return {"last": 0.0}


def training(epochs: int) -> dict[str, Any]:
    settings = {"epochs": epochs, "evaluate_every": epochs, "batch_size": 32, "learning_rate": 0.003}
    return {**settings, "precision": "fp32", "layout": "contiguous", "compile": False}


def cleveland() -> dict[str, Any]:
    return {"csv": {"path": str(folder() / "cleveland.csv"), "label": "num > 0", "missing": MISSING}}


def lacking(table: Path, seed: int) -> dict[str, Any]:
    """The source with the gaps of the hospital's unlabelled half."""
    like = {"path": str(table), "name": table.stem, "where": {"half": "unlabelled"}, "drop": ["num"]}
    gaps = {"csv": {**like, "missing": MISSING}}
    return {"lacking": {"rows": cleveland(), "like": gaps, "copies": 6, "seed": seed}}


def run(name: str, table: Path, half: int, recipe: dict[str, Any]) -> Scores:
    """The scores of each row of a recipe on the test half."""
    common = {
        "name": name,
        "target": {
            "csv": {"path": str(table), "label": "num > 0", "test": {"half": "test"}, "missing": MISSING},
        },
        "student": {"mlp": {"hidden": [16], "dropout": 0.3}},
        "training": training(10 if "teacher" in recipe else 60),  # as many steps, from a sixth of the rows
        "split": {"seed": half, "selection": 0.1, "test": 0.1},
        "seeds": [half],
    }
    stages = ["teacher", "knowledge", "student", "evaluation"]
    (done,) = run_recipe({**common, **recipe}, runs=RUNS, stages=stages)
    rows = read_json(done / "results.json")["rows"]
    return {row["name"]: [row["target"][metric]["mean"] for metric in METRICS] for row in rows}


def peers(table: Path, half: int) -> Scores:
    """Peers on the tables as they are, and with the zeros taken for missing values."""
    source, target = pd.read_csv(folder() / "cleveland.csv"), pd.read_csv(table)
    test = (target.pop("half") == "test").to_numpy()
    labels, truth = ((frame.pop("num") > 0).to_numpy() for frame in (source, target))
    scores = {}
    for mark in ("", "°"):
        if mark:
            source, target = (frame.replace({name: {0: np.nan} for name in MISSING}) for frame in (source, target))
        x, y = source.to_numpy(np.float64), target.to_numpy(np.float64)
        aligned = coral(x, y[~test])
        for name, model in models(half).items():
            scores[name + mark] = scored(model.fit(x, labels), y[test], truth[test])
        for name, short in (("logistic regression", "logistic"), ("boosting", "boosting")):
            model = models(half)[name].fit(aligned[0], labels)
            scores[f"CORAL, {short}{mark}"] = scored(model, aligned[1](y[test]), truth[test])
    return scores


def models(seed: int) -> dict[str, Any]:
    linear, forest = LogisticRegression(max_iter=1000), RandomForestClassifier(300, random_state=seed)
    return {
        "logistic regression": make_pipeline(imputer(), StandardScaler(), linear),
        "random forest": make_pipeline(imputer(), forest),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }


def imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", keep_empty_features=True)


def coral(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The source's rows with the target's covariance, and what brings target rows to them."""
    medians = imputer().fit(x)
    near, far = (StandardScaler().fit(medians.transform(rows)) for rows in (x, y))
    rows = (torch.from_numpy(scale.transform(medians.transform(part))) for scale, part in ((near, x), (far, y)))
    return recoloured(*rows, 1.0).numpy(), lambda new: far.transform(medians.transform(new))


def scored(model: Any, rows: np.ndarray, truth: np.ndarray) -> list[float]:
    said = model.predict_proba(rows)[:, 1]
    return [balanced_accuracy_score(truth, said > 0.5), roc_auc_score(truth, said)]


def show(names: list[str], table: np.ndarray) -> None:
    """The tables of both metrics; table: [halves, targets, rows, metrics]."""
    for place, metric in enumerate(METRICS):
        print(f"\n| {metric.replace('_', ' ')} | " + " | ".join(TARGETS) + " | mean | best peer to it |")
        print("|---|" + "---|" * (len(TARGETS) + 2))
        values = np.concatenate([table[..., place], table[..., place].mean(1, keepdims=True)], axis=1)
        means = values.mean(0)  # [targets and mean, rows]
        best = max(range(len(OURS), len(names)), key=lambda row: means[-1, row])
        for row, name in enumerate(names):
            cells = [f"{m:.1f} ± {s:.1f}" for m, s in zip(means[:, row], values[:, :, row].std(0, ddof=1), strict=True)]
            gain = told(values[:, -1, row] - values[:, -1, best]) if row < len(OURS) else ""
            print(f"| {name}{' (best)' if row == best else ''} | " + " | ".join(cells) + f" | {gain} |")


def told(differences: np.ndarray) -> str:
    """Their mean and its 95 % interval, for halves that share patients (Nadeau & Bengio 2003, eq. 9)."""
    count = len(differences)
    reach = student_t.ppf(0.975, count - 1) * differences.std(ddof=1) * np.sqrt(1 / count + 1)
    return f"{differences.mean():+.1f} [{differences.mean() - reach:+.1f}, {differences.mean() + reach:+.1f}]"


if __name__ == "__main__":
    start = time.monotonic()
    torch.set_num_threads(1)
    main()
    print(f"\n{time.monotonic() - start:.0f} s on one core")
