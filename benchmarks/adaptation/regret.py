"""What a choice without target labels loses: every validator, 70 candidates a task, 28 tasks of 7 families.

usage: LIMBECK_DATA=… python benchmarks/adaptation/regret.py [--seeds 0 1 2] [--families digits …]

The default validator was chosen on the families hospitals, reviews and objects, and is scored on speakers, sensors and
unlike_digits, which were not looked at before.

A candidate is a checkpoint of a setting: 7 settings (source alone, MMD weak and strong, CORAL, adversarial, information
maximisation, MCC), 10 checkpoints each. A validator sees the selection splits, without target labels, and chooses one
candidate of a task. Its regret is what that loses against the best candidate, in points of accuracy (balanced where a
class has more than two thirds) on the target's selection and test samples, whose labels are read for this alone; ρ is
Spearman's correlation of score and accuracy.

`ranks of …` is the mean rank among the candidates, `last` the mean over the settings of the last checkpoint, `random`
over all candidates. Of 70 measured on a few hundred samples the best is so by chance too: `half of the labels` is what
choosing by the labels of one half of these samples loses on the other half, in the mean of many divisions. At the end
the nested choice: for each family, the validator that is best on the others, scored on this one, among those that score
a checkpoint by itself. What is computed stays in runs/benchmarks/regret, and a stopped run goes on there.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from _candidates import PAIRS, SETTINGS, Candidates, build
from _fresh_tasks import FRESH
from scipy.stats import spearmanr

from limbeck.core.files import atomic_path
from limbeck.evaluation import ALL_VALIDATORS, BETWEEN_METHODS, combined, validate

COMBINED = {
    "ranks of all": tuple(name for name in ALL_VALIDATORS if name != "soft_neighbourhood_density"),
    "ranks of the contest's": BETWEEN_METHODS,
    "ranks of calibrated, class_ami": ("calibrated_information", "class_ami"),
    "ranks of calibrated, class_ami, mixval": ("calibrated_information", "class_ami", "mixval"),
}
TASKS = [*PAIRS, *FRESH]

Table = dict[str, dict[str, np.ndarray]]
"""By rule and family: [seeds, tasks, 2], regret and ρ."""


def main() -> None:
    families = list(dict.fromkeys(task.family for task in TASKS))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--families", nargs="+", default=families, choices=families)
    asked = parser.parse_args()
    found = {
        family: [[judged(build(task, seed)) for task in TASKS if task.family == family] for seed in asked.seeds]
        for family in asked.families
    }
    rules = list(found[asked.families[0]][0][0])
    table = {
        rule: {
            family: np.array([[task[rule] for task in tasks] for tasks in by_seed]) for family, by_seed in found.items()
        }
        for rule in rules
    }
    show(table, asked.families)
    nested(table, asked.families)


def scored(candidates: Candidates) -> dict[str, np.ndarray]:
    """Every validator's score of each candidate, by name."""
    file = candidates.folder / "scores.npz"
    scores = dict(np.load(file)) if file.exists() else {}
    names = [name for name in ALL_VALIDATORS if name not in scores]
    if names:
        scores["mixval"] = candidates.mixed.mean(1)
        for name in names:
            if name != "mixval":
                scores[name] = np.array([validate(name, seen) for seen in candidates.observations])
        with atomic_path(file) as path, path.open("wb") as opened:
            np.savez(opened, **scores)
    return {name: scores[name] for name in ALL_VALIDATORS}


def judged(candidates: Candidates) -> dict[str, tuple[float, float]]:
    """Regret and ρ, by rule."""
    scores, truth = scored(candidates), candidates.truth
    rules = dict(scores) | {rule: combined({name: scores[name] for name in of}) for rule, of in COMBINED.items()}
    found = {
        rule: (float(truth.max() - truth[values.argmax()]), correlation(values, truth))
        for rule, values in rules.items()
    }
    ends = truth.reshape(len(SETTINGS), -1)[:, -1]
    mean = {
        "last": (float(truth.max() - ends.mean()), math.nan),
        "random": (float(truth.max() - truth.mean()), math.nan),
        "half of the labels": (float(truth.max() - candidates.by_half_of_the_labels), math.nan),
    }
    return found | mean


def correlation(values: np.ndarray, truth: np.ndarray) -> float:
    return 0.0 if np.ptp(values) == 0 else float(spearmanr(values, truth).statistic)


def show(table: Table, families: list[str]) -> None:
    print("\n| validator | " + " | ".join(f"{family}: regret | ρ" for family in families) + " | mean regret | mean ρ |")
    print("|---" * (2 * len(families) + 3) + "|")
    by_seed = {rule: np.mean([by[family].mean(1) for family in families], axis=0) for rule, by in table.items()}
    for rule in sorted(table, key=lambda rule: by_seed[rule][:, 0].mean()):
        means = [table[rule][family].mean((0, 1)) for family in families]
        cells = [f"{regret:.1f} | {told(rho)}" for regret, rho in means]
        regret, rho = by_seed[rule].T
        spread = f" ± {regret.std(ddof=1):.2f}" if len(regret) > 1 else ""
        print(f"| {rule} | " + " | ".join(cells) + f" | {regret.mean():.2f}{spread} | {told(rho.mean())} |")


def told(rho: float) -> str:
    return "" if math.isnan(rho) else f"{rho:.2f}"


def nested(table: Table, families: list[str]) -> None:
    """For each family the validator, of those that score a checkpoint by itself, that is best on the others."""
    lost = []
    for family in families:
        others = [other for other in families if other != family]
        best = min(ALL_VALIDATORS, key=lambda rule: np.mean([table[rule][other][..., 0].mean() for other in others]))
        lost.append(table[best][family][..., 0].mean())
        print(f"{family}: {best}, the best of the other families, loses {lost[-1]:.2f}")
    print(f"mean regret of a validator that was chosen on other families: {np.mean(lost):.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
