"""The proxy A-distance against closed forms and scikit-learn."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.distances.a_distance import ADistance


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_equals_cross_validation_by_sklearn() -> None:
    x, y = normal(60, 3, 0), normal(45, 3, 1) + 0.6
    points = torch.cat([x, y])
    standard = ((points - points.mean(0)) / points.std(0)).numpy()
    labels = np.repeat([0, 1], [60, 45])
    fold = np.concatenate([generator(0, "a_distance", n).permutation(n) % 3 for n in (60, 45)])
    model = LogisticRegression(C=0.1, class_weight="balanced")
    answers = cross_val_predict(model, standard, labels, cv=PredefinedSplit(fold))
    expected = 2 * (1 - 2 * (1 - balanced_accuracy_score(labels, answers)))
    assert float(ADistance(folds=3, inverse_penalty=0.1)(x, y)) == pytest.approx(expected, abs=1e-6)


def test_two_gaussians_reach_the_best_linear_error() -> None:
    shift = 1.5
    best = 2 * (1 - 2 * NormalDist().cdf(-shift / 2))
    values = [float(ADistance()(normal(400, 1, s), normal(400, 1, 50 + s) + shift)) for s in range(5)]
    assert sum(values) / 5 == pytest.approx(best, abs=0.1)


def test_balanced_for_unequal_sizes() -> None:
    # An unbalanced error would give 2(1 - 2 · 1/21) for a classifier that always says "x".
    values = [float(ADistance()(normal(400, 2, s), normal(20, 2, 90 + s))) for s in range(20)]
    assert abs(sum(values) / 20) < 0.35


def test_around_zero_for_equal_domains_and_zero_for_a_copy() -> None:
    values = torch.tensor([float(ADistance()(normal(80, 2, s), normal(80, 2, 400 + s))) for s in range(30)])
    assert abs(values.mean()) < 0.1
    assert values.min() < 0 < values.max()
    x = normal(31, 3, 0)
    assert float(ADistance()(x, x)) == 0


def test_two_for_separable_symmetric_and_blind_to_units() -> None:
    x, y = normal(40, 3, 0), normal(30, 3, 1) + 0.5
    value = float(ADistance()(x, y))
    units = torch.tensor([1e-3, 1.0, 1e4])
    assert float(ADistance()(x, y + 20)) == 2
    assert float(ADistance()(y, x)) == pytest.approx(value, abs=1e-6)
    assert float(ADistance()(x * units + 7, y * units + 7)) == pytest.approx(value, abs=0.06)


def test_no_gradient_few_points_and_constant_columns() -> None:
    assert not ADistance.differentiable
    x = torch.zeros(3, 2, requires_grad=True)
    value = ADistance()(x, torch.zeros(2, 2))
    assert not value.requires_grad
    assert math.isfinite(float(value))
    with pytest.raises(UsageError, match="a_distance must have at least 2 points"):
        ADistance()(torch.zeros(1, 2), torch.zeros(5, 2))
