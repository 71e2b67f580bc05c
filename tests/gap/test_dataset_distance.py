"""The data set distance against SciPy's assignment and matrix root, and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from limbeck.core import UsageError
from limbeck.gap import dataset_distance
from limbeck.gap.dataset_distance import squared_gaussian_wasserstein


def drawn(n: int, d: int, classes: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    return torch.from_numpy(rng.normal(size=(n, d)) + 3 * np.eye(classes, d)[labels]), torch.from_numpy(labels)


def covariance(d: int, seed: int, rank: int | None = None) -> np.ndarray:
    factor = np.random.default_rng(seed).normal(size=(d, rank or 2 * d))
    return factor @ factor.T / factor.shape[1]


@pytest.mark.parametrize("rank", [None, 2])
def test_gaussians_by_the_root_of_a_matrix(rank: int | None) -> None:
    a, b = covariance(4, 0), covariance(4, 1, rank)
    mean, other = np.arange(4.0), np.ones(4)
    root = sqrtm(a)
    bures = np.trace(a + b - 2 * sqrtm(root @ b @ root).real)
    expected = ((mean - other) ** 2).sum() + bures
    assert squared_gaussian_wasserstein(mean, a, other, b) == pytest.approx(expected, abs=1e-6)
    assert squared_gaussian_wasserstein(other, b, mean, a) == pytest.approx(expected, abs=1e-6)


def test_gaussians_in_closed_form() -> None:
    """Of commuting covariances the Bures distance is that of their roots; of equal ones 0 exactly."""
    zero, a, b = np.zeros(3), np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 0.0, 9.0])
    assert squared_gaussian_wasserstein(zero, a, zero, b) == pytest.approx(1 + 4 + 0)
    assert squared_gaussian_wasserstein(zero, a, zero, a) == 0
    assert squared_gaussian_wasserstein(zero, a, zero + 2, a) == 12


def test_equal_sizes_by_the_best_assignment() -> None:
    (x, y), (x2, y2) = drawn(12, 3, 2, 0), drawn(12, 3, 3, 1)
    cost = torch.cdist(x, x2).square().numpy()
    for i in range(12):
        for j in range(12):
            cost[i, j] += squared_gaussian_wasserstein(*gaussian(x, y, y[i]), *gaussian(x2, y2, y2[j]))
    rows, columns = linear_sum_assignment(cost)
    expected = math.sqrt(cost[rows, columns].mean())
    for unit in (1, 1e-9, 1e6):
        assert dataset_distance(unit * x, y, unit * x2, y2) == pytest.approx(unit * expected)


def gaussian(points: Tensor, labels: Tensor, c: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and shrunk covariance of a class, by Ledoit and Wolf's formula."""
    part = points[labels == c].numpy()
    x = part - part.mean(0)
    n, d = x.shape
    sample = x.T @ x / n
    even = np.trace(sample) / d * np.eye(d)
    distance = ((sample - even) ** 2).sum()
    error = sum(((np.outer(row, row) - sample) ** 2).sum() for row in x) / n**2
    alpha = min(error, distance) / distance
    return part.mean(0), (1 - alpha) * sample + alpha * even


def test_two_gaussians_moved_apart() -> None:
    """All of it moves by δ: the points, and each class; so √2 ‖δ‖ with any number of classes."""
    x, y = drawn(60, 3, 3)
    far = torch.tensor([100.0, 0.0, 0.0], dtype=torch.float64)
    # So far apart that no coupling beats another by more than the classes' own distances.
    assert dataset_distance(x, y, x + far, y) == pytest.approx(math.sqrt(2) * 100, rel=0.01)
    one = torch.zeros(60, dtype=torch.long)
    assert dataset_distance(x, one, x + 2, one) == pytest.approx(math.sqrt(2 * 12))


@pytest.mark.parametrize("d", [1, 3, 100])
def test_zero_for_a_set_against_itself(d: int) -> None:
    x, y = drawn(40, d)
    assert dataset_distance(x, y, x, y) == 0
    assert dataset_distance(x, y, x, y, cap=10) == 0
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert dataset_distance(x, y, x[order], y[order]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("d", [3, 100])
def test_symmetric_and_blind_to_order_names_and_origin(d: int) -> None:
    (x, y), (x2, y2) = drawn(30, d, 2, 0), drawn(21, d, 3, 1)
    value = dataset_distance(x, y, x2, y2)
    assert value > 1
    assert dataset_distance(x2, y2, x, y) == pytest.approx(value)
    assert dataset_distance(x.flip(0), y.flip(0), x2, y2) == pytest.approx(value)
    assert dataset_distance(x, 9 - y, x2, y2 + 4) == pytest.approx(value)
    assert dataset_distance(x + 5, y, x2 + 5, y2) == pytest.approx(value)
    assert dataset_distance(3 * x, y, 3 * x2, y2) == pytest.approx(3 * value)


def test_labels_matter_where_the_points_are_the_same() -> None:
    x, y = drawn(60, 3, 2)
    mixed = y[torch.randperm(60, generator=torch.Generator().manual_seed(0))]
    apart = [dataset_distance(x, y, x, labels) for labels in (y, 1 - y, mixed)]
    assert apart[0] == apart[1] == 0  # the names of classes say nothing
    assert apart[2] > 0.5


def test_wide_points_keep_their_leading_directions() -> None:
    """Classes that differ in few directions: the other 97 of 100 hold nothing."""
    (x, y), (x2, y2) = drawn(50, 3, 2, 0), drawn(40, 3, 2, 1)
    rotation = torch.linalg.qr(torch.randn(100, 100, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q
    wide, wide2 = (torch.nn.functional.pad(points, (0, 97)) @ rotation for points in (x, x2))
    narrow = torch.nn.functional.pad(x, (0, 61)), torch.nn.functional.pad(x2, (0, 61))
    assert dataset_distance(wide, y, wide2, y2) == pytest.approx(dataset_distance(narrow[0], y, narrow[1], y2))


def test_the_cap_leaves_a_similar_answer_and_unknown_labels_are_left_out() -> None:
    (x, y), (x2, y2) = drawn(400, 2, 2, 0), drawn(300, 2, 2, 1)
    x2 = x2 + 4
    whole = dataset_distance(x, y, x2, y2)
    assert dataset_distance(x, y, x2, y2, cap=100) == pytest.approx(whole, rel=0.1)
    unknown = torch.cat([x, torch.full((3, 2), torch.nan)]), torch.cat([y, torch.full((3,), -1)])
    assert dataset_distance(*unknown, x2, y2) == pytest.approx(whole)


def test_classes_of_one_sample_and_single_classes_work() -> None:
    x, y = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([0, 1])
    # The class means lie 5 apart where the points do, and the classes are points.
    assert dataset_distance(x[:1], y[:1], x[1:], y[1:]) == pytest.approx(math.sqrt(25 + 25))
    assert dataset_distance(x, y, x, y) == 0


def test_bad_input_is_an_error() -> None:
    x, y = drawn(6, 3)
    with pytest.raises(UsageError, match=r"equally wide on both sides. Got \[6, 3\] and \[6, 2\]"):
        dataset_distance(x, y, x[:, :2], y)
    with pytest.raises(UsageError, match="needs labels of the target, true ones or pseudo-labels"):
        dataset_distance(x, y, x, y - 5)
    with pytest.raises(UsageError, match="points of the source hold values that are not finite"):
        dataset_distance(x * torch.inf, y, x, y)
