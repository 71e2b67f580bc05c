"""Does the ranking of candidate sources agree with the transfer that is realised afterwards?

usage: LIMBECK_DATA=… python benchmarks/adaptation/ranking.py [--targets photo usps …] [--seeds 0 1 2]

Targets are digit domains, hospitals and review domains. Candidates of each: the other domains of its family, and six
that are hard: the nearest of them with labels shuffled, with labels permuted among the classes, with every second
label drawn anew, with its inputs scrambled, with few samples; and an unrelated task under the same class names.
Realised is the best of three, balanced accuracy on the target's test split: the network trained on the source as it
is, aligned with the unlabelled target, and with a new head learnt from the labelled target samples. Transfer hurts
where that lies below a logistic regression on these samples. A seed divides the data and trains anew.

What counts in the ranking, and the verdict, were settled on the targets in DEVELOPED; the others were only scored. A
run that was stopped goes on with the same command. About a minute of one core for a target and seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _hard_sources import FAMILIES, node
from scipy.stats import kendalltau
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from limbeck.core.files import read_json, write_json
from limbeck.data import SplitSettings, prepare
from limbeck.data.arrays import Arrays
from limbeck.data.csv import Csv
from limbeck.data.text import Text
from limbeck.evaluation import mean_std
from limbeck.recipes import rank_recipe, run_recipe

RUNS = Path("runs/benchmarks/ranking")
DEVELOPED = ("photo", "cleveland", "dvd")
NEAREST = {
    "photo": "scan",
    "usps": "mnist",
    "mnist": "usps",
    "cleveland": "hungary",
    "hungary": "cleveland",
    "va_long_beach": "cleveland",
    "dvd": "books",
    "kitchen": "electronics",
}
"""The targets, and the source of each that is spoiled."""

WAYS = ("shuffled", "permuted", "noisy", "scrambled", "few", "unrelated")
LABELLED = {"digits": 5, "hospitals": 10, "reviews": 10}
"""Target samples a class whose labels are shown."""

STUDENT = {
    "digits": {"cnn": {"widths": [16, 32], "hidden": 64}},
    "hospitals": {"mlp": {"hidden": [16]}},
    "reviews": {"mlp": {"hidden": [32], "dropout": 0.3}},
}
TRAINING = {"precision": "fp32", "layout": "contiguous", "compile": False, "device": "cpu", "evaluate_every": 4}
TRAINED = {
    "digits": {"epochs": 12, "batch_size": 32, "learning_rate": 0.002},
    "hospitals": {"epochs": 20, "batch_size": 16, "learning_rate": 0.003},
    "reviews": {"epochs": 8, "batch_size": 16, "learning_rate": 0.003},
}
ROWS = {
    "aligned": {"distill": {"objectives": ["cross_entropy", {"align": {"distance": "mmd"}}]}},
    "new_head": {
        "feature_extract": {"layer": "features"},
        "start": "teacher",
        "training": {"epochs": 100, "evaluate_every": 50, "learning_rate": 0.01},
    },
}
GAP = {"samples": 200, "permutations": 19, "resamples": 20, "repeats": 20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=NEAREST, default=list(NEAREST))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    cases = [case for target in chosen.targets for seed in chosen.seeds for case in judged(target, seed)]
    for target in chosen.targets:
        print(by_candidate([case for case in cases if case["target"] == target]), flush=True)
    developed = [case for case in cases if case["target"] in DEVELOPED]
    for name, group in (("developed on", developed), ("scored", [case for case in cases if case not in developed])):
        if group:
            print(f"\n{name}: {summary(group)}", flush=True)


def judged(target: str, seed: int) -> list[dict[str, Any]]:
    """What the ranking says of each candidate for a target, beside what was realised."""
    family = next(name for name, domains in FAMILIES.items() if target in domains)
    done = RUNS / f"{target}-{seed}" / "cases.json"
    if done.exists():
        return list(read_json(done))
    candidates = {name: node(RUNS / "data", family, name) for name in FAMILIES[family] if name != target}
    candidates |= {way: node(RUNS / "data", family, f"{NEAREST[target]}-{way}") for way in WAYS}
    recipe = {
        "name": f"{target}-{seed}",
        "target": node(RUNS / "data", family, target),
        "candidates": candidates,
        "student": STUDENT[family],
        "rows": ROWS,
        "split": {"labelled": LABELLED[family], "seed": seed, "test": 0.4},
        "training": TRAINING | TRAINED[family],
        "seeds": [seed],
        "gap": {"settings": GAP},
    }
    folder = rank_recipe(recipe, runs=RUNS, quiet=True)
    alone, cases = trained_alone(family, target, seed), []
    for entry in read_json(folder / "rank.json")["candidates"]:
        (run,) = run_recipe(folder / entry["name"], stages=["student", "evaluation"], quiet=True)
        rows = read_json(run / "results.json")["rows"]
        reached = max(row["target"]["balanced_accuracy"]["mean"] for row in rows)
        cases.append({"target": target, "seed": seed, "alone": alone, "realised": reached, **entry})
        print(f"{target}, seed {seed}: {entry['name']} {entry['verdict']}, {100 * reached:.1f}", flush=True)
    write_json(done, cases)
    return cases


def trained_alone(family: str, target: str, seed: int) -> float:
    """Balanced accuracy on the test split of a logistic regression on the labelled target samples."""
    parts = {"digits": Arrays, "hospitals": Csv, "reviews": Text}
    ((_, settings),) = node(RUNS / "data", family, target).items()
    part = parts[family](**settings)
    raw, split = part.load(), SplitSettings(labelled=LABELLED[family], seed=seed, test=0.4)
    domain = prepare(raw, raw, part.preprocessing(), split)[1]
    inputs = {split: domain.split_inputs(split).flatten(1).numpy() for split in ("labelled", "test")}
    labels = {split: domain.open(split, "benchmark").numpy() for split in ("labelled", "test")}
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    model.fit(inputs["labelled"], labels["labelled"])
    return float(balanced_accuracy_score(labels["test"], model.predict(inputs["test"])))


def by_candidate(cases: Sequence[Mapping[str, Any]]) -> str:
    """A table of one target, means over the seeds."""
    alone = [case["alone"] for case in {case["seed"]: case for case in cases}.values()]
    lines = [
        f"\n| {cases[0]['target']} | combined | do not transfer | realised; alone {told(alone)} |",
        "|---|---|---|---|",
    ]
    names = {case["name"]: [own for own in cases if own["name"] == case["name"]] for case in cases}
    for name, own in sorted(names.items(), key=lambda item: -np.mean([case["realised"] for case in item[1]])):
        avoided = sum(avoids(case) for case in own)
        combined, realised = (told([case[key] for case in own]) for key in ("combined", "realised"))
        lines.append(f"| {name} | {combined} | {avoided} of {len(own)} | {realised} |")
    return "\n".join(lines)


def summary(cases: Sequence[Mapping[str, Any]]) -> str:
    """Kendall's τ within each target and seed, and the balanced accuracy of "do not transfer"."""
    taus = {
        "as ranked": agreement(cases, lambda case: -case["rank"]),
        "combined score alone": agreement(cases, lambda case: case["combined"]),
        "source accuracy": agreement(cases, lambda case: value(case, "source_accuracy")),
    }
    hurts = np.array([case["realised"] < case["alone"] for case in cases])
    avoided = np.array([avoids(case) for case in cases])
    found, spared = avoided[hurts].mean(), (~avoided[~hurts]).mean()
    return (
        "Kendall's τ " + ", ".join(f"{name} {tau}" for name, tau in taus.items()) + f". Transfer hurts in "
        f"{hurts.sum()} of {len(hurts)} cases: {found:.0%} of these are avoided, {spared:.0%} of the others not; "
        f"balanced accuracy {(found + spared) / 2:.3f}."
    )


def agreement(cases: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], float]) -> str:
    """Kendall's τ within each target, mean ± std over the targets.

    Of one seed's ranking with what that seed realised, on average; with the seeds' mean; and of the seeds' means.
    """
    single, mean, joint = [], [], []
    for target in dict.fromkeys(case["target"] for case in cases):
        own = [case for case in cases if case["target"] == target]
        table = {name: [case for case in own if case["name"] == name] for name in (case["name"] for case in own)}
        said, realised = (
            np.array([[value_of(case) for case in row] for row in table.values()])
            for value_of in (key, lambda case: case["realised"])
        )
        single.append(np.mean([kendalltau(*pair).statistic for pair in zip(said.T, realised.T, strict=True)]))
        mean.append(np.mean([kendalltau(own, realised.mean(1)).statistic for own in said.T]))
        joint.append(kendalltau(said.mean(1), realised.mean(1)).statistic)
    told = ["{:.2f} ± {:.2f}".format(*mean_std(taus)) for taus in (single, mean, joint)]
    return f"{told[0]} (with what the seeds realise on average {told[1]}, of the means over seeds {told[2]})"


def value(case: Mapping[str, Any], score: str) -> float:
    return float(next(entry["value"] for entry in case["scores"] if entry["name"] == score))


def avoids(case: Mapping[str, Any]) -> bool:
    return bool(case["verdict"] == "do not transfer")


def told(values: Sequence[float]) -> str:
    return "{:.1f} ± {:.1f}".format(*mean_std([100 * value for value in values]))


if __name__ == "__main__":
    start = time.process_time()
    torch.set_num_threads(1)
    main()
    print(f"\n{time.process_time() - start:.0f} s of one core")
