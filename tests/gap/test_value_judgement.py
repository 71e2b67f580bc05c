"""Candidates for values to regress: the shares of variance, and the verdicts that follow from errors."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from limbeck.core import UsageError
from limbeck.gap import (
    Judgement,
    LabelledValues,
    UnlabelledValues,
    constant_errors,
    cross_validated_errors,
    explained,
    judge_values,
    returned_share,
)

DRAW = np.random.default_rng(0)
MEAN = DRAW.chisquare(1, 200)
"""Squared errors of the mean of values with variance 1."""


def errors(share: float, n: int = 200) -> np.ndarray:
    """Squared errors that leave this share of the variance unexplained."""
    return MEAN[:n] * share * DRAW.uniform(0.9, 1.1, n)


def judged(direct: float, probed: float | None, alone: float | None, home: float = 0.1) -> Judgement:
    sides = [None if share is None else errors(share) for share in (direct, probed, alone)]
    assert sides[0] is not None
    return judge_values(errors(home), MEAN, LabelledValues(sides[0], sides[1], sides[2], MEAN))


def test_the_explained_share_is_r2_but_for_the_sample_that_the_mean_leaves_out() -> None:
    values, answers = DRAW.normal(size=30), DRAW.normal(size=30)
    constant = constant_errors(torch.from_numpy(values))
    assert constant == pytest.approx([(values[i] - np.delete(values, i).mean()) ** 2 for i in range(30)])
    wanted = 1 - (1 - r2_score(values, answers)) * (29 / 30) ** 2
    assert explained((answers - values) ** 2, constant) == pytest.approx(wanted)
    assert explained(np.ones(3), np.zeros(3)) == 0


@pytest.mark.parametrize(
    ("direct", "probed", "alone", "verdict"),
    [
        (0.1, 0.5, 0.6, "transfer"),
        (0.4, 0.5, 0.6, "transfer with adaptation"),  # it explains 90 % at home
        (3.0, 0.2, 0.6, "transfer with adaptation"),  # the answers are worse than the mean, the features good
        (3.0, 0.6, 0.6001, "do not transfer"),
        (0.8, 0.9, 0.3, "do not transfer"),
        (0.5, None, None, "transfer with adaptation"),
        (1.5, None, None, "do not transfer"),
        (1.5, None, 2.0, "do not transfer"),  # training alone is worse than the mean, which is then the reference
    ],
)
def test_verdicts(direct: float, probed: float | None, alone: float | None, verdict: str) -> None:
    found = judged(direct, probed, alone)
    assert found.verdict == verdict, found.reason
    assert "nan" not in found.reason and "of the variance" in found.reason


def test_what_is_no_better_than_the_mean_at_home_has_nothing_to_give() -> None:
    found = judged(0.1, 0.1, 0.5, home=1.0)
    assert found.verdict == "do not transfer" and "is not shown" in found.reason


@pytest.mark.parametrize(("order", "learnt"), [(None, False), (0.1, False), (0.4, True), (-0.4, False)])
def test_answers_in_the_right_order_have_learnt_something(order: float | None, learnt: bool) -> None:
    """Squared errors say little of a few samples: 70, of which a third of the variance is explained."""
    home = np.random.default_rng(1).chisquare(1, 70)
    unsure = home * 0.66 + np.where(np.arange(70) % 35 == 0, -5, 5 / 34)  # as much on average, and by two samples
    target = LabelledValues(errors(0.2), None, errors(0.5), MEAN)
    found = judge_values(np.maximum(unsure, 0), home, target, order=order)
    assert (found.verdict != "do not transfer") == learnt
    assert learnt or order is None or f"correlation of {order:.2f}" in found.reason


def test_a_teacher_without_features_is_not_told_to_keep_them() -> None:
    hardly = MEAN * np.random.default_rng(1).uniform(0, 1.9, 200)
    found = judge_values(errors(0.1), MEAN, LabelledValues(hardly, None, MEAN * 1.5, MEAN))
    assert found.verdict == "transfer with adaptation" and "features" not in found.reason
    assert "That the answers are better than the mean of the labels is not shown: adapt them." in found.reason


@pytest.mark.parametrize(
    ("separation", "returned", "verdict"),
    [(0.1, 0.5, "transfer"), (1.0, 0.5, "transfer with adaptation"), (1.9, -0.1, "do not transfer")],
)
def test_without_labels_the_gap_decides(separation: float, returned: float, verdict: str) -> None:
    found = judge_values(errors(0.1), MEAN, UnlabelledValues(separation, returned))
    assert found.verdict == verdict and not found.sure and "weak verdict" in found.reason


def test_cross_validation_learns_from_the_other_samples_alone() -> None:
    noise = torch.from_numpy(DRAW.normal(size=(12, 60)))
    values = torch.from_numpy(DRAW.normal(size=12))
    found = cross_validated_errors(noise, values)
    assert found is not None and found.mean() > 0.5 * values.var().item()  # 60 numbers fit 12 values without fault
    assert cross_validated_errors(noise[:3], values[:3]) is None
    with pytest.raises(UsageError, match="not finite"):
        cross_validated_errors(noise.log(), values)


def test_what_was_learnt_on_the_target_comes_back() -> None:
    x = torch.from_numpy(DRAW.normal(size=(100, 3)))
    y = x @ torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    assert returned_share(x[:50], y[:50], x[50:], y[50:]) > 0.9
    assert returned_share(x[:50], y[:50], x[50:], -y[50:]) < 0
