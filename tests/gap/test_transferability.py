"""The scores against loops over the papers' definitions, scikit-learn's counts, and what must hold of them."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score
from torch import Tensor

from limbeck.core import UsageError
from limbeck.gap import SCORES, Candidate, rate
from limbeck.gap._labelled import labelled
from limbeck.gap.transferability import h_score, leep, nce, shrunk_h_score, transrate

OF_FEATURES = [h_score, shrunk_h_score, transrate]


def drawn(n: int = 60, d: int = 5, classes: int = 3, signal: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    points = rng.normal(size=(n, d)) + signal * 2 * np.eye(max(d, classes))[:classes, :d][labels]
    return torch.from_numpy(points), torch.from_numpy(labels)


def soft(n: int, z: int, seed: int, labels: Tensor | None = None) -> Tensor:
    scores = torch.randn(n, z, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    if labels is not None:
        scores[torch.arange(n), labels] += 3
    return scores.softmax(1)


def shuffled(labels: Tensor) -> Tensor:
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]


def test_leep_by_a_literal_loop() -> None:
    labels, theta = torch.tensor([0, 2, 1, 1, 0, 2, 2]), soft(7, 4, 0)
    joint = np.zeros((3, 4))
    for i in range(7):
        for z in range(4):
            joint[labels[i], z] += theta[i, z].item() / 7
    total = 0.0
    for i in range(7):
        inner = 0.0
        for z in range(4):
            inner += joint[labels[i], z] / joint[:, z].sum() * theta[i, z].item()
        total += math.log(inner)
    assert leep(theta, labels) == pytest.approx(total / 7)


def test_leep_with_classes_nobody_believes_in_and_certain_teachers() -> None:
    labels, theta = torch.tensor([0, 2, 1, 1, 0, 2, 2]), soft(7, 4, 0)
    assert leep(torch.cat([theta, torch.zeros(7, 2)], 1), labels) == pytest.approx(leep(theta, labels))
    source = torch.tensor([0, 1, 1, 1, 3, 2, 2])
    assert leep(torch.eye(4)[source], labels) == pytest.approx(nce(source, labels))  # hard probabilities: LEEP is NCE


def test_leep_wants_probabilities() -> None:
    with pytest.raises(UsageError, match="probabilities of leep must be ≥ 0 and sum to 1"):
        leep(torch.randn(4, 3), torch.tensor([0, 1, 0, 1]))


def test_nce_by_counts() -> None:
    rng = np.random.default_rng(0)
    source, labels = rng.integers(6, size=200), rng.integers(3, size=200)
    shares = np.bincount(labels) / 200
    conditional = -(shares * np.log(shares)).sum() - mutual_info_score(source, labels)  # H(Y) − I(Y; Z)
    assert nce(torch.from_numpy(source), torch.from_numpy(labels)) == pytest.approx(-conditional)
    relabelled = torch.from_numpy(100 - 7 * source)
    assert nce(relabelled, torch.from_numpy(labels)) == pytest.approx(-conditional)


def test_nce_at_its_ends() -> None:
    labels = torch.arange(4).repeat(5)
    assert nce(labels, labels) == 0
    assert nce(torch.arange(20), labels) == 0
    assert nce(torch.zeros(20, dtype=torch.long), labels) == pytest.approx(-math.log(4))


def test_h_score_by_an_explicit_inverse() -> None:
    points, labels = drawn()
    x, y = points.numpy(), labels.numpy()
    means = np.stack([x[y == c].mean(0) for c in y])
    expected = np.trace(np.linalg.inv(np.cov(x.T, bias=True)) @ np.cov(means.T, bias=True))
    assert h_score(points, labels) == pytest.approx(expected)


def test_shrunk_h_score_by_ledoit_and_wolfs_formula() -> None:
    points, labels = drawn(n=25, d=12)
    x, y = points.numpy() - points.numpy().mean(0), labels.numpy()
    n, d = x.shape
    sample = x.T @ x / n
    scale = np.trace(sample) / d
    distance = ((sample - scale * np.eye(d)) ** 2).sum() / d
    error = sum(((np.outer(row, row) - sample) ** 2).sum() for row in x) / d / n**2
    alpha = min(error, distance) / distance
    assert 0.05 < alpha < 1
    shrunk = (1 - alpha) * sample + alpha * scale * np.eye(d)
    means = np.stack([x[y == c].mean(0) for c in y])
    expected = (1 - alpha) * np.trace(np.linalg.inv(shrunk) @ (means.T @ means / n))
    assert shrunk_h_score(points, labels) == pytest.approx(expected)


def test_h_scores_of_wide_features() -> None:
    """With as many directions as samples every labelling looks perfect, unless the covariance is shrunk."""
    points, labels = drawn(n=20, d=80, signal=3.0)
    assert h_score(points, labels) == pytest.approx(2) == h_score(points, shuffled(labels))
    assert shrunk_h_score(points, labels) > 1.2 * shrunk_h_score(points, shuffled(labels))


def test_h_score_does_not_change_under_linear_maps_and_singular_features_do_no_harm() -> None:
    points, labels = drawn()
    mixing = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert h_score(points @ mixing + 7, labels) == pytest.approx(h_score(points, labels))
    doubled = torch.cat([points, points, torch.ones(60, 1)], 1)
    assert h_score(doubled, labels) == pytest.approx(h_score(points, labels))
    assert h_score(torch.ones(60, 2), labels) == shrunk_h_score(torch.ones(60, 2), labels) == 0


def test_transrate_by_determinants() -> None:
    points, labels = drawn(n=31)  # classes of 11, 10 and 10
    x, y, epsilon = points.numpy() - points.numpy().mean(0), labels.numpy(), 0.3
    assert len(set(np.bincount(y))) > 1

    def nats(z: np.ndarray) -> float:
        return 0.5 * np.linalg.slogdet(np.eye(5) + z.T @ z / (len(z) * epsilon))[1]

    expected = nats(x) - sum((y == c).mean() * nats(x[y == c]) for c in range(3))
    assert transrate(points, labels, epsilon) == pytest.approx(expected)


def test_transrate_is_blind_to_classes_opposite_each_other() -> None:
    labels = torch.tensor([0, 1]).repeat(10)
    assert transrate(2.0 * labels[:, None] - 1, labels) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("score", OF_FEATURES)
@pytest.mark.parametrize(("n", "d"), [(90, 6), (400, 3)])
def test_features_that_separate_the_classes_score_higher(score, n: int, d: int) -> None:
    values = [score(*drawn(n, d, signal=signal)) for signal in (0.3, 1.0, 3.0)]
    assert 0 <= values[0] < values[1] < values[2]
    points, labels = drawn(n, d, signal=3.0)
    assert 0 <= score(points, shuffled(labels)) < 0.5 * values[2]
    if score is not transrate:
        assert values[2] <= 2


@pytest.mark.parametrize("score", OF_FEATURES)
def test_origin_rotation_and_order_do_not_matter(score) -> None:
    points, labels = drawn()
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q
    value = score(points, labels)
    assert score(points @ rotation - 4, labels) == pytest.approx(value)
    assert score(points.flip(0), labels.flip(0)) == pytest.approx(value)
    if score is not transrate:
        assert score(1e3 * points, labels) == pytest.approx(value)


def test_teachers_that_know_more_score_higher() -> None:
    labels = drawn(300)[1]
    for source_of in (lambda p: {"probabilities": p}, lambda p: {"source_labels": p.argmax(1)}):
        name = "leep" if "probabilities" in source_of(soft(2, 3, 0)) else "nce"
        blind, knowing = soft(300, 5, 0), soft(300, 5, 0, labels)
        worse = rate(name, Candidate(labels, **source_of(blind)))
        better = rate(name, Candidate(labels, **source_of(knowing)))
        assert -math.log(3) - 0.01 < worse < better - 0.2 < 0
        assert rate(name, Candidate(shuffled(labels), **source_of(knowing))) < better - 0.2


@pytest.mark.parametrize("name", sorted(SCORES))
def test_each_score_says_what_it_lacks(name: str) -> None:
    points, labels = drawn()
    whole = Candidate(labels, points, soft(60, 4, 0), soft(60, 4, 0).argmax(1))
    assert math.isfinite(rate(name, whole))
    assert rate(name, whole) == rate(name, whole)
    (needed,) = SCORES[name].needs - {"labels"}
    with pytest.raises(UsageError, match=f"The score '{name}' needs {needed}, which this candidate does not give"):
        rate(name, Candidate(labels))


@pytest.mark.parametrize("name", sorted(SCORES))
def test_unknown_labels_are_left_out_and_bad_input_is_an_error(name: str) -> None:
    points, labels = drawn()

    def candidate(labels: Tensor, points: Tensor) -> Candidate:
        return Candidate(labels, points, points.softmax(1), points.argmax(1))

    value = rate(name, candidate(labels, points))
    more = torch.cat([labels, torch.tensor([-1, -1])]), torch.cat([points, 50 * torch.ones(2, 5)])
    assert rate(name, candidate(*more)) == value
    with pytest.raises(UsageError, match=f"labels of {name} must be of two classes or more"):
        rate(name, candidate(torch.zeros(60, dtype=torch.long), points))
    if name != "nce":
        with pytest.raises(UsageError, match=f"values of {name} are not finite"):
            rate(name, candidate(labels, points * torch.nan))


def test_a_misspelt_score_is_corrected_and_lengths_must_agree() -> None:
    with pytest.raises(UsageError, match="Did you mean 'logme'"):
        rate("logmee", Candidate(torch.tensor([0, 1])))
    with pytest.raises(UsageError, match=r"samples of nce must have one label each\. Got 3 and 2"):
        labelled("nce", torch.tensor([0, 1]), torch.tensor([0, 1, 1]))
