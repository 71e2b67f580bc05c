"""Does the ranking of candidate sources agree with the transfer that is realised afterwards?

usage: python benchmarks/adaptation/ranking.py [TARGET ...]      targets: photo usps mnist; needs $LIMBECK_DATA

Candidates are the other digit domains, and three that hurt: labels shuffled, labels permuted, noise for images.
Realised is the best of three students on the target's test split: trained on the source alone, aligned with the
unlabelled target, and with a new head learnt from the labelled target samples. Transfer hurts where that lies below a
logistic regression on these samples.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from limbeck.core.files import read_json
from limbeck.data import SplitSettings, prepare
from limbeck.data.digits import Digits
from limbeck.data.mnist import Mnist
from limbeck.data.usps import Usps
from limbeck.recipes import rank_recipe, run_recipe

RUNS = Path("runs/benchmarks/ranking")
LABELLED, LIMIT = 5, 2000
DOMAINS: dict[str, dict[str, Any]] = {
    "scan": {"digits": {"domain": "scan"}},
    "photo": {"digits": {"domain": "photo"}},
    "usps": {"usps": {"limit": LIMIT}},
    "mnist": {"mnist": {"limit": LIMIT}},
}
PARTS = {"photo": Digits("photo"), "usps": Usps(limit=LIMIT), "mnist": Mnist(limit=LIMIT)}
TRAINING = {
    "epochs": 12,
    "batch_size": 64,
    "learning_rate": 0.002,
    "precision": "fp32",
    "layout": "channels_last",
    "compile": False,
}


def main(targets: list[str]) -> None:
    spoiled = spoiled_sources(RUNS / "spoiled")
    for target in targets:
        candidates = {name: data for name, data in DOMAINS.items() if name != target} | spoiled
        ranking, realised = ranked(target, candidates)
        alone = trained_alone(target)
        print(f"\n| {target}, by rank | combined | verdict | realised | logistic regression on {LABELLED} a class |")
        print("|---|---|---|---|---|")
        for entry in ranking["candidates"]:
            combined, low, high = (f"{100 * entry[key]:.0f}" for key in ("combined", "low", "high"))
            verdict = entry["verdict"] if entry["sure"] else f"{entry['verdict']}, not sure"
            reached = f"{100 * realised[entry['name']]:.1f} | {100 * alone:.1f}"
            print(f"| {entry['name']} | {combined} [{low}, {high}] | {verdict} | {reached} |")
        print(summary(ranking, realised, alone), flush=True)


def spoiled_sources(folder: Path) -> dict[str, Any]:
    """The scanned digits with shuffled labels, with permuted labels, and noise in place of their images."""
    folder.mkdir(parents=True, exist_ok=True)
    scan, random = Digits("scan").load(), np.random.default_rng(0)
    images, labels = np.asarray(scan.inputs), np.asarray(scan.labels).astype(np.int64)
    made = {
        "shuffled": (images, random.permutation(labels)),
        "permuted": (images, (labels + 1) % 10),
        "noise": (random.random(images.shape).astype(np.float32), labels),
    }
    for name, (inputs, numbers) in made.items():
        np.savez(folder / f"{name}.npz", inputs=inputs, labels=numbers.astype(str))
    return {name: {"arrays": {"path": str(folder / f"{name}.npz")}} for name in made}


def ranked(target: str, candidates: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """rank.json, and the accuracy on the target's test split that each candidate led to."""
    recipe = {
        "name": target,
        "target": DOMAINS[target],
        "candidates": candidates,
        "student": {"cnn": {"widths": [16, 32], "hidden": 64}},
        "rows": {
            "alone": "source_only",
            "aligned": {"distill": {"objectives": ["cross_entropy", {"align": {"distance": "mmd"}}]}},
            "new_head": {
                "feature_extract": {"layer": "features"},
                "start": "alone",
                "training": {"epochs": 200, "evaluate_every": 20, "learning_rate": 0.01},
            },
        },
        "split": {"labelled": LABELLED},
        "training": TRAINING,
    }
    folder = rank_recipe(recipe, runs=RUNS)
    realised = {}
    for name in candidates:
        (run,) = run_recipe(folder / name, stages=["student", "evaluation"])
        rows = read_json(run / "results.json")["rows"]
        students = [row for row in rows if row["kind"] == "student"]
        realised[name] = max(row["target"]["balanced_accuracy"]["mean"] for row in students)
    return read_json(folder / "rank.json"), realised


def trained_alone(target: str) -> float:
    """Balanced accuracy on the test split of a logistic regression on the labelled target samples."""
    part = PARTS[target]
    raw = part.load()
    domain = prepare(raw, raw, part.preprocessing(), SplitSettings(labelled=LABELLED))[1]
    inputs, labels = ({s: domain.split_inputs(s).flatten(1).numpy() for s in ("labelled", "test")}, {})
    for split in ("labelled", "test"):
        labels[split] = domain.open(split, "benchmark").numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    model.fit(inputs["labelled"], labels["labelled"])
    return float(balanced_accuracy_score(labels["test"], model.predict(inputs["test"])))


def summary(ranking: dict[str, Any], realised: dict[str, float], alone: float) -> str:
    """Kendall's τ of the order, beside that of ranking by source accuracy, and how often the verdict was right."""
    entries = ranking["candidates"]
    truth = [realised[entry["name"]] for entry in entries]
    own = kendalltau([-entry["rank"] for entry in entries], truth).statistic
    at_home = [next(s["value"] for s in entry["scores"] if s["name"] == "source_accuracy") for entry in entries]
    avoided = [entry["verdict"] == "do not transfer" for entry in entries]
    hurts = [value < alone for value in truth]
    agrees = sum(a == h for a, h in zip(avoided, hurts, strict=True))
    return (
        f"\nKendall's τ {own:.2f}; by source accuracy {kendalltau(at_home, truth).statistic:.2f}. Transfer hurts for "
        f"{sum(hurts)} of {len(hurts)}; the verdict agrees for {agrees}."
    )


if __name__ == "__main__":
    main(sys.argv[1:] or list(PARTS))
