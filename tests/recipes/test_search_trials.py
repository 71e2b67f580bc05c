"""Which trial is given up, and which students no other beats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from limbeck.recipes._search_trials import Trial, front_of, is_behind


def trial(number: int, score: float | None = 0.0, **more: Any) -> Trial:
    return Trial(number, {}, {}, more.pop("costs", {"bytes": 100}), **{"state": "finished", "score": score, **more})


def curve(number: int, scores: list[float], size: int) -> Trial:
    epochs = [2 * n + 2 for n in range(len(scores))]
    return trial(number, max(scores), costs={"bytes": size}, epochs=epochs, scores=scores)


OTHERS = [curve(0, [0.1, 0.5, 0.4], 10), curve(1, [0.2, 0.3, 0.9], 20), curve(2, [0.4, 0.2, 0.2], 30)]
"""Their best scores by epoch 4 are 0.5, 0.3 and 0.4; evaluations are those of the epochs 2, 4 and 6."""


@pytest.mark.parametrize(
    ("best", "epoch", "size", "behind"),
    [
        (0.39, 4, 30, True),
        (0.40, 4, 30, False),
        (0.39, 4, 29, False),  # two of the others cost no more, which is too few
        (0.39, 5, 30, True),  # by epoch 5 they are where they were at 4
        (0.45, 6, 30, True),  # 0.5, 0.9 and 0.4
        (0.00, 7, 30, False),  # nobody has come so far
    ],
)
def test_a_trial_is_behind_the_median_of_those_that_cost_no_more(
    best: float, epoch: int, size: int, behind: bool
) -> None:
    assert is_behind(best, epoch, {"bytes": size}, OTHERS) is behind


def test_every_cost_counts() -> None:
    others = [trial(n, costs={"bytes": 1, "latency": 2.0}, epochs=[1], scores=[1.0]) for n in range(3)]
    assert is_behind(0.5, 1, {"bytes": 1, "latency": 2.0}, others)
    assert not is_behind(0.5, 1, {"bytes": 1, "latency": 1.9}, others)


@pytest.mark.extra("search")
def test_the_front_is_optunas() -> None:
    import optuna

    random = np.random.default_rng(0)
    trials = [
        trial(n, float(random.integers(9)), costs={"bytes": int(random.integers(9)), "latency": float(n % 7)})
        for n in range(60)
    ]
    study = optuna.create_study(directions=["maximize", "minimize", "minimize"])
    for one in trials:
        study.add_trial(optuna.trial.create_trial(values=[one.score, one.costs["bytes"], one.costs["latency"]]))
    front = {one.number for one in front_of(trials, ["bytes", "latency"])}
    assert front == {best.number for best in study.best_trials} and 3 < len(front) < 60


def test_what_is_not_finished_is_on_no_front() -> None:
    trials = [trial(0, 0.1), trial(1, 0.9, state="pruned"), trial(2, None, state="failed")]
    assert [one.number for one in front_of(trials, ["bytes"])] == [0]
