"""LogME against a brute-force maximisation of the marginal likelihood, written as a density of the labels."""

import numpy as np
import pytest
import torch
from scipy.linalg import null_space
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from torch import Tensor

from limbeck.core import UsageError
from limbeck.gap.evidence import logme, logme_of_values


def drawn(n: int, d: int, classes: int, seed: int, signal: float = 1.0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    points = rng.normal(size=(n, d)) + signal * rng.normal(size=(classes, d))[labels]
    return torch.from_numpy(points), torch.from_numpy(labels)


def brute_force(points: np.ndarray, labels: np.ndarray) -> float:
    """max over α, β of the log density of y under N(0, I/β + FFᵀ/α), from many starts, mean over the classes."""
    n, kernel, found = len(points), points @ points.T, []
    for c in np.unique(labels):
        y = (labels == c).astype(float)

        def lost(logs: np.ndarray, y: np.ndarray = y) -> float:
            covariance = np.eye(n) / np.exp(logs[1]) + kernel / np.exp(logs[0])
            return -float(multivariate_normal.logpdf(y, np.zeros(n), covariance))

        starts = [(a, b) for a in (-3.0, 1.0, 5.0) for b in (-1.0, 2.0)]
        fits = [minimize(lost, s, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}) for s in starts]
        found.append(-min(fit.fun for fit in fits) / n)
    return float(np.mean(found))


@pytest.mark.parametrize(("n", "d", "classes"), [(40, 5, 2), (30, 8, 3), (12, 30, 3), (15, 15, 2)])
def test_is_the_maximum_of_the_evidence(n: int, d: int, classes: int) -> None:
    points, labels = drawn(n, d, classes, seed=n)
    assert logme(points, labels) == pytest.approx(brute_force(points.numpy(), labels.numpy()), abs=1e-5)


def test_features_that_say_nothing_give_the_evidence_of_noise() -> None:
    """Without weights y ~ N(0, I/β): −½ (log 2π ȳ² + 1) with the mean square ȳ² of each class."""
    labels = torch.tensor([0, 0, 0, 1])
    expected = np.mean([-0.5 * (np.log(2 * np.pi * share) + 1) for share in (0.75, 0.25)])
    assert logme(torch.zeros(4, 3), labels) == pytest.approx(expected)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 1))
    points -= np.outer(np.eye(4)[:3].sum(0), np.eye(4)[:3].sum(0) @ points / 3)  # at right angles to class 0
    points[3] = 0.0  # and to class 1
    assert logme(torch.from_numpy(points), labels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("n", "d"), [(60, 6), (20, 50)])
def test_unchanged_by_rotation_scale_order_and_names(n: int, d: int) -> None:
    points, labels = drawn(n, d, 3, seed=1)
    value = logme(points, labels)
    rotation = torch.linalg.qr(torch.randn(d, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    for other in (points @ rotation, 1e4 * points, 1e-4 * points):
        assert logme(other, labels) == pytest.approx(value, abs=1e-6)
    assert logme(points[order], labels[order]) == pytest.approx(value, abs=1e-9)
    assert logme(points, 7 - 2 * labels) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(90, 6), (30, 80)])
def test_better_separated_classes_score_higher_and_shuffled_labels_lower(n: int, d: int) -> None:
    values = [logme(*drawn(n, d, 3, seed=2, signal=signal)) for signal in (0.0, 1.0, 3.0)]
    assert values[0] < values[1] < values[2]
    points, labels = drawn(n, d, 3, seed=2, signal=3.0)
    shuffled = labels[torch.randperm(n, generator=torch.Generator().manual_seed(0))]
    assert logme(points, shuffled) < values[2] - 0.1


def test_perfect_labels_and_equal_samples_stay_finite() -> None:
    labels = torch.arange(3).repeat(10)
    perfect = logme(torch.eye(3)[labels], labels)
    assert np.isfinite(perfect) and perfect > 1
    assert np.isfinite(logme(torch.ones(30, 4), labels))
    assert np.isfinite(logme(torch.ones(2, 1), torch.tensor([0, 1])))
    with np.errstate(all="raise"):  # class 1 lies at right angles to all features
        assert np.isfinite(logme(torch.eye(40)[:, :20], torch.arange(40) // 20))


def test_half_precision_and_unknown_labels() -> None:
    points, labels = drawn(40, 5, 3, seed=3)
    assert logme(points.bfloat16(), labels) == pytest.approx(logme(points, labels), abs=0.02)
    with_unknown = torch.cat([points, 100 * torch.ones(3, 5)]), torch.cat([labels, torch.tensor([-1, -1, -1])])
    assert logme(*with_unknown) == logme(points, labels)


def test_one_class_is_an_error() -> None:
    with pytest.raises(UsageError, match="labels of logme must be of two classes or more: with 1 there"):
        logme(torch.eye(3), torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize(("n", "d"), [(40, 5), (12, 30)])
def test_of_values_it_is_the_maximum_of_the_evidence_of_standardised_values(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    points, noise = rng.normal(size=(n, d)), rng.normal(size=n)
    values = 7 + 3 * points[:, 0] + noise
    away = null_space(np.ones((1, n)))  # the directions that an intercept leaves
    y, kernel = away.T @ values / values.std(), away.T @ points @ points.T @ away

    def lost(logs: np.ndarray) -> float:
        covariance = np.eye(n - 1) / np.exp(logs[1]) + kernel / np.exp(logs[0])
        return -float(multivariate_normal.logpdf(y, np.zeros(n - 1), covariance)) / (n - 1)

    starts = [(a, b) for a in (-3.0, 1.0, 5.0) for b in (-1.0, 2.0)]
    wanted = -min(minimize(lost, s, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).fun for s in starts)
    found = logme_of_values(torch.from_numpy(points), torch.from_numpy(values))
    assert found == pytest.approx(wanted, abs=1e-5)
    assert logme_of_values(torch.from_numpy(points) + 5, torch.from_numpy(values / 9 - 1)) == pytest.approx(found)
    with_gaps = torch.from_numpy(np.append(values, np.nan)), torch.from_numpy(np.vstack([points, points[:1]]))
    assert logme_of_values(with_gaps[1], with_gaps[0]) == pytest.approx(found)


def test_equal_values_have_no_evidence() -> None:
    with pytest.raises(UsageError, match="must differ"):
        logme_of_values(torch.randn(5, 2), torch.ones(5))
