"""Heart disease, Cleveland to three other hospitals: a small student beside boosting, forests and CORAL, 20 halves.

usage: LIMBECK_DATA=… python benchmarks/adaptation/hospitals.py [--halves 20 | --within]      it goes on where it was
stopped; --within: the same rows within Cleveland, by which they were chosen

Each hospital is divided 20 times, by class: one half is adapted to without labels, the other is the test, whose labels
are read once, for the scores. The hospitals lack most of what Cleveland knows (vessels, thallium scan, slope), so the
student's source is `lacking`: Cleveland's rows with the gaps of the unlabelled half. A cholesterol of 0 stands for a
missing value. Members, student and shift were chosen within Cleveland: its patients are divided by age, sex and six
other columns, both ways, and the one part is the source, the other, with the gaps of each hospital, the target. They
are the same for all hospitals and halves.

Rows, per cent, mean ± standard deviation over halves:

complete rows      the student on Cleveland as it is
gaps of target     the student on `lacking`
trees              extremely randomised trees on `lacking`
forest             a random forest on `lacking`
line               a logistic regression on `lacking`
teacher            these three as one
distilled          the student on `lacking`, taught its rows and the unlabelled half by the teacher
even shares        that student, its scores moved half the way to even classes on the unlabelled half (`share_shift`)

Peers learn from all of Cleveland, with missing values as boosting takes them or their medians, once from the tables as
they are and once with the zeros taken for missing (°). CORAL: each domain standardised, covariances aligned.
Interval: of a difference of two rows on the same halves, by the corrected t-test of Nadeau & Bengio 2003, since halves
of one hospital share patients and are no independent samples.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student_t
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from limbeck.core import generator
from limbeck.core.files import read_json, write_json
from limbeck.methods.coral_map import recoloured
from limbeck.recipes import run_recipe

RUNS = Path("runs/benchmarks/hospitals")
TARGETS = ("hungary", "switzerland", "va_long_beach")
METRICS = ("balanced_accuracy", "auc")
OURS = ("complete rows", "gaps of target", "trees", "forest", "line", "teacher", "distilled", "even shares")
MISSING = {"chol": 0}
COLUMNS = ("age", "sex", "cp", "trestbps", "chol", "thalach", "exang", "oldpeak")
Scores = dict[str, list[float]]

EVEN = {"class_weight": "balanced"}
MEMBERS: dict[str, dict[str, Any]] = {
    "trees": {"estimator": "extra_trees", "settings": {"n_estimators": 300, "min_samples_leaf": 15, **EVEN}},
    "forest": {"estimator": "random_forest", "settings": {"n_estimators": 300, "min_samples_leaf": 5, **EVEN}},
    "line": {"estimator": "logistic_regression", "settings": {"C": 0.1, **EVEN}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--halves", type=int, default=20)
    parser.add_argument("--within", action="store_true")
    chosen = parser.parse_args()
    if chosen.within:
        within()
        return
    halves = chosen.halves
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
        scores = students(folder() / "cleveland.csv", table, half) | peers(table, half)
        write_json(path, {name: scores[name] for name in (*OURS, *scores)})
    return read_json(path)


def divided(target: str, half: int) -> Path:
    """The hospital's table with a column that says which half a row is in."""
    path = RUNS / "tables" / f"{target}_{half}.csv"
    return halved(path, pd.read_csv(folder() / f"{target}.csv"), generator(half, "halves", target))


def halved(path: Path, frame: pd.DataFrame, random: np.random.Generator) -> Path:
    test = np.zeros(len(frame), dtype=bool)
    for ill in (False, True):
        rows = random.permutation(np.flatnonzero((frame["num"] > 0) == ill))
        test[rows[: len(rows) // 2]] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.assign(half=np.where(test, "test", "unlabelled")).to_csv(path, index=False)
    return path


def folder() -> Path:
    return Path(os.environ["LIMBECK_DATA"]) / "heart_disease"


def students(source: Path, table: Path, half: int) -> Scores:
    alone = {"source": rows_of(source), "rows": {"complete rows": "source_only"}}
    plain = run(f"{table.stem}_plain", table, half, alone)
    teachers = {"teacher": {"ensemble": {"members": list(MEMBERS)}}}
    teachers |= {name: {"sklearn": member} for name, member in MEMBERS.items()}
    rows = {
        "gaps of target": "source_only",
        "distilled": {"distill": {"objectives": [{"kl": {"temperature": 2.0}, "on": "both"}]}},
        "even shares": {"share_shift": {}, "start": "distilled"},
    }
    gaps = {"source": lacking(source, table, half), "teachers": teachers, "rows": rows}
    return plain | run(f"{table.stem}_gaps", table, half, gaps)


def training(epochs: int) -> dict[str, Any]:
    settings = {"epochs": epochs, "evaluate_every": epochs, "batch_size": 32, "learning_rate": 0.003}
    return {**settings, "precision": "fp32", "layout": "contiguous", "compile": False}


def rows_of(source: Path) -> dict[str, Any]:
    return {"csv": {"path": str(source), "label": "num > 0", "missing": MISSING}}


def lacking(source: Path, table: Path, seed: int) -> dict[str, Any]:
    """The source with the gaps of the hospital's unlabelled half."""
    like = {"path": str(table), "name": table.stem, "where": {"half": "unlabelled"}, "drop": ["num"]}
    gaps = {"csv": {**like, "missing": MISSING}}
    return {"lacking": {"rows": rows_of(source), "like": gaps, "copies": 6, "seed": seed}}


def run(name: str, table: Path, half: int, recipe: dict[str, Any]) -> Scores:
    """The scores of each row of a recipe on the test half."""
    common = {
        "name": name,
        "target": {
            "csv": {"path": str(table), "label": "num > 0", "test": {"half": "test"}, "missing": MISSING},
        },
        "student": {"mlp": {"hidden": [16], "dropout": 0.3}},
        "training": training(10 if "teachers" in recipe else 60),  # as many steps, from a sixth of the rows
        "split": {"seed": half, "selection": 0.1, "test": 0.1},
        "seeds": [half],
    }
    stages = ["teacher", "knowledge", "student", "evaluation"]
    (done,) = run_recipe({**common, **recipe}, runs=RUNS, stages=stages, quiet=True)
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


def within() -> None:
    """The mean scores of our rows on parts of Cleveland that stand for other hospitals."""
    found = []
    for column in COLUMNS:
        for high in (True, False):
            for hospital in TARGETS:
                name = f"{column}_{'up' if high else 'down'}_{hospital}"
                path = RUNS / "within" / f"{name}.json"
                if not path.exists():
                    scores = students(*parted(name, column, high, hospital), 0)
                    write_json(path, {row: scores[row] for row in OURS})
                found.append(read_json(path))
                print(name, flush=True)
    print(f"\n| within Cleveland, {len(found)} parts | " + " | ".join(METRICS) + " |\n|---|---|---|")
    for row in OURS:
        print(f"| {row} | " + " | ".join(f"{100 * mean:.1f}" for mean in np.mean([s[row] for s in found], 0)) + " |")


def parted(name: str, column: str, high: bool, hospital: str) -> tuple[Path, Path]:
    """Cleveland's patients above (or not above) the mean of a column as the source, the others as the target."""
    frame, other = (pd.read_csv(folder() / f"{origin}.csv") for origin in ("cleveland", hospital))
    random, above = generator(0, "within", name), frame[column] > frame[column].mean()
    source, target = frame[above == high], frame[above != high].reset_index(drop=True)
    path = RUNS / "tables" / f"{name}_source.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    source.to_csv(path, index=False)
    gaps = other.replace({key: {value: np.nan} for key, value in MISSING.items()}).isna().assign(num=False)
    drawn = gaps.to_numpy()[random.integers(len(gaps), size=len(target))]
    return path, halved(RUNS / "tables" / f"{name}.csv", target.mask(drawn), random)


def show(names: list[str], table: np.ndarray) -> None:
    """The tables of both metrics; table: [halves, targets, rows, metrics]."""
    for place, metric in enumerate(METRICS):
        print(f"\n| {metric.replace('_', ' ')} | " + " | ".join(TARGETS) + " | mean | to the best peer |")
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
