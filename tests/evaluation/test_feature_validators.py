"""Validators of features against their formulas, and what must hold of all of them."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_mutual_info_score
from torch import Tensor

from limbeck.core import RunError
from limbeck.evaluation.feature_validators import (
    INVERSE_PENALTY,
    canonical_order,
    class_ami,
    classifier_uniformity,
    deep_embedded_validation,
    density_ratios,
    hopkins_statistic,
    reverse_validation,
    transfer_score,
)


def clusters(n: int, classes: int = 3, d: int = 4, seed: int = 0, spread: float = 0.3) -> tuple[Tensor, Tensor]:
    """Points around the corners of a simplex, and which corner it is."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    return torch.from_numpy(4 * np.eye(classes, d)[labels] + spread * rng.normal(size=(n, d))), torch.from_numpy(labels)


def confident(labels: Tensor, classes: int = 3) -> Tensor:
    return 20 * torch.eye(classes)[labels]


def order(n: int, seed: int = 0) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def standardised(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    return (rows - by.mean(0)) / by.std(0)


def test_dev_follows_the_formula() -> None:
    source, labels = clusters(50, spread=2.0)
    train, _ = clusters(70, seed=1, spread=2.0)
    target = clusters(40, seed=2, spread=2.0)[0] + torch.tensor([2.0, 0.0, 0.0, 0.0])
    logits = confident(torch.where(labels == 0, 1, labels))  # wrong where the target lies
    both = np.concatenate([train, target])
    model = LogisticRegression(C=INVERSE_PENALTY, tol=1e-8, max_iter=5000)
    model.fit(standardised(both, both), [0] * 70 + [1] * 40)
    p = model.predict_proba(standardised(source.numpy(), both))
    w = 70 / 40 * p[:, 1] / p[:, 0]
    loss = (logits.argmax(1) != labels).numpy().astype(float)
    covariance = np.cov(w * loss, w, ddof=1)
    eta = -covariance[0, 1] / covariance[1, 1]
    expected = -(np.mean(w * loss) + eta * np.mean(w) - eta)
    assert w.std() > 0.2  # the weights say something
    found = deep_embedded_validation(logits, labels, source, train, target)
    assert found == pytest.approx(expected, abs=1e-3)
    assert found < -loss.mean() - 0.03 and abs(found + np.mean(w * loss)) > 0.01


def test_dev_sees_where_the_target_lies() -> None:
    """A model that errs in one half of the source is better for a target in the other half."""
    source = torch.linspace(-1, 1, 200)[:, None]
    labels = torch.zeros(200, dtype=torch.long)
    wrong_left = torch.where(source < 0, torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    right, left = (
        deep_embedded_validation(wrong_left, labels, source, source, shift + source / 4) for shift in (0.5, -0.5)
    )
    assert right > -0.2 and left < -0.8
    perfect = deep_embedded_validation(torch.eye(2)[labels], labels, source, source, source + 1)
    assert perfect == pytest.approx(0, abs=1e-9)


def test_density_ratios_average_to_one_and_find_a_known_ratio() -> None:
    """Of N(1, 1) over N(0, 1) it is exp(x − ½)."""
    draws = torch.Generator().manual_seed(0)
    source = torch.randn(4000, 1, generator=draws)
    target = torch.randn(3000, 1, generator=draws) + 1
    at = torch.tensor([[-1.0], [0.0], [1.0]])
    assert density_ratios(source, target, at).tolist() == pytest.approx(torch.exp(at[:, 0] - 0.5).tolist(), rel=0.15)
    assert density_ratios(source, target, source).mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("far", [30.0, 1e3, 1e6])
def test_dev_is_a_number_where_one_sample_lies_far_from_all_others(far: float) -> None:
    draws = torch.Generator().manual_seed(0)
    source, target = torch.randn(200, 8, generator=draws), torch.randn(200, 8, generator=draws) + 1
    labels, logits = torch.arange(200) % 2, torch.randn(200, 2, generator=draws)
    source[0] = far
    assert density_ratios(source[1:], target, source).max() == pytest.approx(50)
    found = deep_embedded_validation(logits, labels, source, source[1:], target)
    assert np.isfinite(found) and -1.5 < found < -0.1  # half of the answers are wrong


def test_class_ami_by_clusters_that_are_known() -> None:
    points, labels = clusters(90)
    assert class_ami(confident(labels), points) == pytest.approx(1)
    assert class_ami(confident((labels + 1) % 3), points) == pytest.approx(1)  # names do not matter
    mixed = torch.where(torch.arange(90) % 4 == 0, (labels + 1) % 3, labels)
    expected = adjusted_mutual_info_score(labels.numpy(), mixed.numpy())
    assert class_ami(confident(mixed), points) == pytest.approx(expected)
    assert abs(class_ami(confident(labels[order(90)]), points)) < 0.1


def test_reverse_validation_by_hand() -> None:
    """The classes of the target as it was labelled by the checkpoint, read back on the source."""
    (source, labels), (target, truth) = clusters(60), clusters(90, seed=1)
    assert reverse_validation(source, labels, target, confident(truth)) == 1
    swapped = torch.where(truth == 2, 2, 1 - truth)
    assert reverse_validation(source, labels, target, confident(swapped)) == pytest.approx(1 / 3)
    only = torch.full_like(truth, 1)
    assert reverse_validation(source, labels, target, confident(only)) == pytest.approx((labels == 1).double().mean())
    two = torch.where(truth == 2, 1, truth)  # a class that was never predicted is never found
    assert reverse_validation(source, labels, target, confident(two)) == pytest.approx(2 / 3)


def test_hopkins_of_clusters_noise_and_grids() -> None:
    noise = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    grid = torch.cartesian_prod(torch.linspace(0, 1, 40), torch.linspace(0, 1, 40))
    assert hopkins_statistic(noise) == pytest.approx(0.5, abs=0.05)
    assert hopkins_statistic(grid) < 0.35
    assert hopkins_statistic(clusters(300)[0]) > 0.7
    assert hopkins_statistic(5 + 100 * noise) == pytest.approx(hopkins_statistic(noise))
    assert hopkins_statistic(noise[:1]) == 0


def test_hopkins_between_two_points_that_all_samples_share() -> None:
    """In one dimension, samples at 0 and at 1 alone: u is ¼ on average, w is 0 but for lonely samples."""
    pairs = torch.tensor([[0.0], [1.0]]).repeat(200, 1)
    assert hopkins_statistic(pairs) == 1
    lonely = torch.tensor([[0.0], [1.0]])  # each is 1 from the other, and 2 uniform points ≤ ½ from either
    u_most = 2 * 0.5
    assert 0 < hopkins_statistic(lonely) < u_most / (u_most + 2) + 1e-9


def test_uniformity_by_angles() -> None:
    simplex = torch.eye(4) - 0.25
    scale = torch.tensor([[1.0], [2.0], [0.5], [3.0]])
    assert classifier_uniformity(scale * simplex) == pytest.approx(0, abs=1e-9)
    corners = torch.eye(3)  # right angles, where the even one is arccos(−½) = 120°
    assert classifier_uniformity(corners) == pytest.approx((math.pi / 2 - 2 * math.pi / 3) ** 2)
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    total = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                angle = math.acos(float(weight[i] @ weight[j] / weight[i].norm() / weight[j].norm()))
                total += (angle - math.acos(-1 / 4)) ** 2
    assert classifier_uniformity(weight) == pytest.approx(total / 20)


def test_transfer_score_is_the_sum_of_its_parts() -> None:
    points, labels = clusters(90)
    head = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    p = torch.randn(90, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).softmax(1)
    mean = p.mean(0)
    information = float(-(mean * mean.log()).sum() + (p * p.log()).sum(1).mean())
    expected = -classifier_uniformity(head) + hopkins_statistic(points) + information / math.log(3)
    assert transfer_score(p.log(), points, head) == pytest.approx(expected)
    assert transfer_score(confident(labels), points, head) > expected


SOURCE, SOURCE_LABELS = clusters(60, spread=1.5)
TRAIN = clusters(80, seed=1, spread=1.5)[0]
TARGET, TARGET_LABELS = clusters(70, seed=2, spread=1.5)
SCORES = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
GUESSES = confident(TARGET_LABELS) + 8 * torch.randn(70, 3, generator=torch.Generator().manual_seed(1))

ALL: dict[str, Callable[[Tensor, Tensor, Tensor], float]] = {
    "dev": lambda s, k, t: deep_embedded_validation(SCORES[s], SOURCE_LABELS[s], SOURCE[s], TRAIN[k], TARGET[t] + 1),
    "class_ami": lambda s, k, t: class_ami(GUESSES[t], TARGET[t]),
    "reverse_validation": lambda s, k, t: reverse_validation(SOURCE[s], SOURCE_LABELS[s], TARGET[t], GUESSES[t]),
    "hopkins": lambda s, k, t: hopkins_statistic(TARGET[t]),
    "transfer_score": lambda s, k, t: transfer_score(GUESSES[t], TARGET[t], torch.eye(3, 4)),
}


@pytest.mark.parametrize("name", ALL)
def test_neither_another_call_nor_another_order_changes_a_score(name: str) -> None:
    asis = torch.arange(60), torch.arange(80), torch.arange(70)
    value = ALL[name](*asis)
    torch.manual_seed(99)
    np.random.seed(99)
    assert ALL[name](*asis) == value
    for seed in range(3):
        assert ALL[name](order(60, seed), order(80, seed), order(70, seed)) == pytest.approx(value, abs=1e-9)


def test_the_canonical_order_is_one_of_values() -> None:
    points = clusters(50)[0]
    moved = points[order(50)]
    assert points[canonical_order(points)].equal(moved[canonical_order(moved)])


def test_features_that_are_not_finite_are_an_error_in_words() -> None:
    points, labels = clusters(30)
    with pytest.raises(RunError, match="features that a validator reads are not finite: the training diverged"):
        class_ami(confident(labels), points * torch.nan)


def test_few_and_equal_samples_stay_finite() -> None:
    one, label = torch.zeros(1, 4), torch.tensor([0])
    same, labels = torch.ones(6, 4), torch.arange(6) % 3
    assert class_ami(confident(label), one) == class_ami(confident(labels), same) == 0
    assert reverse_validation(same, labels, same, confident(labels)) == pytest.approx(1 / 3)
    assert deep_embedded_validation(confident(labels), labels, same, same, same) == 0
    assert deep_embedded_validation(confident(1 - labels.clamp(max=1)), labels, same, one, one) == pytest.approx(-1)
