"""Does the contest of `auto` choose well, and does it say *do not adapt* where that is right?

usage: LIMBECK_DATA=… python benchmarks/adaptation/auto.py [TASK …] [--seeds 0 1 2]

A task is a recipe that names no method. The contest trains its candidates and chooses one without target labels; then
each candidate's answers to the target's test split are compared with the labels, which are read for this alone. Regret:
points of accuracy that the choice lies below the best candidate. A seed is another division and another training; shown
are means, and the deviation over seeds. The last two tasks need no adaptation: two halves of
one domain, and the same where the target has other class shares. Second table: what a choice by one score alone, or by
the mean rank of several, would have lost on the same candidates. What is computed stays in runs/benchmarks/auto.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from _candidates import PAIRS
from _fresh_tasks import FRESH

from limbeck.core.files import atomic_path
from limbeck.data import Data, prepare
from limbeck.data.digits import Digits
from limbeck.evaluation import combined, headline, sample_scores, statistic_for
from limbeck.recipes import load_plans, run_recipe

RUNS = Path("runs/benchmarks/auto")

CNN = {"cnn": {"widths": [8, 16], "hidden": 32}}
RULES = {"ranks of calibrated, class_ami": ("calibrated_information", "class_ami")}

Found = dict[str, Any]


def _pair(family: str, name: str) -> tuple[Any, Any]:
    """Both domains of a task of the regret's, as files."""
    pair = next(pair for pair in (*PAIRS, *FRESH) if (pair.family, pair.name) == (family, name))
    return tuple(_file(f"{name} {side}", read()) for side, read in (("source", pair.source), ("target", pair.target)))


def _halves(shares: bool) -> tuple[Any, Any]:
    """The scanned digits in two halves; shares: the second one keeps the classes 3 to 9 for one image in six."""
    raw = Digits("scan").load()
    random = np.random.default_rng(0)
    order = random.permutation(len(raw.labels))
    first, second = np.array_split(order, 2)
    if shares:
        second = second[(raw.labels[second].astype(int) < 3) | (random.random(len(second)) < 1 / 6)]
    parts = {"first half": first, f"second half{', other shares' * shares}": second}
    return tuple(_written(name, raw.inputs[rows], raw.labels[rows]) for name, rows in parts.items())


def _file(name: str, data: Data) -> Any:
    raw = data.load()
    return _written(name, np.asarray(raw.inputs[:]), np.asarray(raw.labels))


def _written(name: str, inputs: np.ndarray, labels: np.ndarray) -> Any:
    path = RUNS / "domains" / f"{name}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, inputs=inputs, labels=labels.astype(str))
    return {"arrays": {"path": str(path)}}


def _reviews() -> tuple[Any, Any]:
    def domain(name: str) -> Any:
        path = str(Path(os.environ["LIMBECK_DATA"], "amazon_reviews", f"{name}.csv.gz"))
        settings = {"text": ["title", "text"], "label": "label", "max_features": 1000, "deduplicate": True}
        return {"text": {"path": path, **settings}}

    return domain("dvd"), domain("kitchen")


def _digits() -> tuple[Any, Any]:
    return {"usps": {"limit": 800}}, {"mnist": {"limit": 800, "size": 16}}


TASKS: dict[str, tuple[Callable[[], tuple[Any, Any]], Any]] = {
    "usps → mnist": (_digits, CNN),
    "dvd → kitchen": (_reviews, {"mlp": {"hidden": [16], "dropout": 0.3}}),
    "george → jackson": (lambda: _pair("speakers", "george → jackson"), CNN),
    "amazon → webcam": (lambda: _pair("objects", "amazon → webcam"), {"mlp": {"hidden": [32], "dropout": 0.3}}),
    "scan → scan": (lambda: _halves(shares=False), CNN),
    "scan → scan, other shares": (lambda: _halves(shares=True), CNN),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[[], *TASKS], help="all by default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    asked = parser.parse_args()
    found = {name: [_contest(name, seed) for seed in asked.seeds] for name in asked.tasks or TASKS}
    print("\n| task | chosen | its accuracy | not adapted | best | mean of all | regret |")
    print("|---" * 7 + "|")
    for name, contests in found.items():
        winners = Counter(choice["winner"] for choice, _ in contests)
        figures = np.array([_figures(*contest) for contest in contests])
        cells = [", ".join(f"{winner} ({count})" for winner, count in winners.items())]
        cells += [f"{mean:.1f}" for mean in figures.mean(0)]
        print(f"| {name} | " + " | ".join(cells) + f"{_spread(figures[:, -1])} |")
    regrets = np.array([[_figures(*contest)[-1] for contest in contests] for contests in found.values()])
    print(f"\nmean regret {regrets.mean():.2f}{_spread(regrets.mean(0))}")
    _by_score(found)


def _figures(choice: Found, truth: Mapping[str, float]) -> list[float]:
    """Accuracy of the choice, of no adaptation, of the best and of all in the mean, and the regret, in %."""
    chosen, best = truth[choice["winner"]], max(truth.values())
    return [chosen, truth[choice["baseline"]], best, float(np.mean([*truth.values()])), best - chosen]


def _spread(by_seed: np.ndarray) -> str:
    return f" ± {by_seed.std(ddof=1):.1f}" if len(by_seed) > 1 else ""


def _contest(name: str, seed: int) -> tuple[Found, dict[str, float]]:
    """What the contest chose, and the accuracy of every candidate on the target's test split, in %."""
    domains, student = TASKS[name]
    source, target = domains()
    recipe = {
        "name": name.replace(" → ", "_to_").replace(", ", "_").replace(" ", "_") + f"_{seed}",
        "source": source,
        "target": target,
        "teacher": {"network": {"network": student}},
        "student": student,
        "auto": {"budget": 30},
        "training": {"epochs": 10, "batch_size": 32, "precision": "fp32", "layout": "contiguous", "compile": False},
        "gap": {"settings": {"permutations": 199}},
        "split": {"seed": seed},
        "seeds": [seed],
    }
    (folder,) = run_recipe(recipe, runs=RUNS, stages=["teacher", "gap", "contest"])
    choice = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))["choices"]["auto"]
    return choice, _truth(recipe, folder / "contest", seed, choice)


def _truth(recipe: Mapping[str, Any], contest: Path, seed: int, choice: Found) -> dict[str, float]:
    (plan,) = load_plans(recipe)
    source = plan.make("source")
    domain = prepare(source.load(), plan.make("target").load(), source.preprocessing(), plan.make("split"))[1]
    labels = domain.open("test", "auto")
    metric, _ = headline(domain.task, labels)
    truth = {}
    for candidate in (each["name"] for each in choice["candidates"]):
        kept = np.load(contest / candidate / str(seed) / "predictions.npz")
        scores = sample_scores(torch.from_numpy(kept["target_logits"])[None], labels, domain.task)
        truth[candidate] = 100 * float(statistic_for(metric, labels)(np.ones((1, len(labels))), scores)[0, 0])
    return truth


def _by_score(found: Mapping[str, Sequence[tuple[Found, dict[str, float]]]]) -> None:
    """The table of what each score would have lost."""
    print("\n| chosen by | " + " | ".join(found) + " | mean |")
    print("|---" * (len(found) + 2) + "|")
    lost: dict[str, list[float]] = {}
    for contests in found.values():
        of_task: dict[str, list[float]] = {}
        for choice, truth in contests:
            for rule, value in _lost(choice, truth).items():
                of_task.setdefault(rule, []).append(value)
        for rule, values in of_task.items():
            lost.setdefault(rule, []).append(float(np.mean(values)))
    for name in sorted(lost, key=lambda name: float(np.mean(lost[name]))):
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in lost[name]) + f" | {np.mean(lost[name]):.2f} |")


def _lost(choice: Found, truth: Mapping[str, float]) -> dict[str, float]:
    """The regret of each score that all candidates have, and of each rule."""
    candidates = sorted(choice["candidates"], key=lambda each: each["name"] != choice["baseline"])
    accuracy = np.array([truth[each["name"]] for each in candidates])
    names = set.intersection(*(set(each["scores"]) for each in candidates))
    scores = {name: np.array([each["scores"][name] for each in candidates]) for name in names}
    scores |= {rule: combined({name: scores[name] for name in of}) for rule, of in RULES.items()}
    return {name: float(accuracy.max() - accuracy[values.argmax()]) for name, values in scores.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
