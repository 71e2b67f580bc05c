"""Class shares without labels: exact where they must be, covered where they are estimated."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from limbeck.core import UsageError
from limbeck.gap import GapSettings, label_shift
from limbeck.gap.labels import solve_shares

NAMES = ["a", "b", "c"]
FEW = GapSettings(resamples=199)


def drawn(shares: list[float], n: int, seed: int, signal: float = 2.0) -> tuple[Tensor, Tensor]:
    """Labels of these shares, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(shares), n, p=shares)
    scores = rng.normal(size=(n, len(shares)))
    scores[np.arange(n), labels] += signal
    return torch.from_numpy(labels), torch.softmax(torch.from_numpy(scores), 1)


def test_the_system_is_solved_on_the_simplex() -> None:
    rng = np.random.default_rng(0)
    confusion = rng.dirichlet(np.ones(4) * 0.5, size=4).T
    q = np.array([0.4, 0.0, 0.35, 0.25])
    assert solve_shares(confusion, confusion @ q) == pytest.approx(q, abs=1e-6)
    outside = np.array([1.0, 0.0, 0.0, 0.0])
    best = minimize(
        lambda w: ((confusion @ w - outside) ** 2).sum(),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    ).x
    found = solve_shares(confusion, outside)
    assert found == pytest.approx(best, abs=1e-4)
    assert found.min() >= 0 and found.sum() == pytest.approx(1)


def test_a_moved_share_is_found_and_named() -> None:
    labels, source = drawn([0.4, 0.4, 0.2], 600, 0)
    target = drawn([0.1, 0.2, 0.7], 500, 1)[1]
    entry = label_shift(labels, source, target, NAMES, FEW)
    assert list(entry) == ["estimated", "source", "low", "high", "classes", "differ", "sentence"]
    assert entry["differ"] and entry["estimated"] == pytest.approx([0.1, 0.2, 0.7], abs=0.07)
    assert entry["source"] == pytest.approx((np.bincount(labels) / 600).tolist())
    assert sum(entry["estimated"]) == pytest.approx(1)
    assert "most for c: " in entry["sentence"] and "if a class looks alike in both domains" in entry["sentence"]


def test_intervals_cover_and_equal_shares_raise_few_alarms() -> None:
    truth, covered, found, alarms = [0.15, 0.3, 0.55], [], [], []
    for seed in range(50):
        labels, source = drawn([0.4, 0.3, 0.3], 250, seed, 1.5)
        moved = label_shift(labels, source, drawn(truth, 200, 7000 + seed, 1.5)[1], NAMES, FEW)
        same = label_shift(labels, source, drawn([0.4, 0.3, 0.3], 200, 8000 + seed, 1.5)[1], NAMES, FEW)
        covered.append((np.array(moved["low"]) <= truth) & (np.array(moved["high"]) >= truth))
        alarms.append("differ" in same["sentence"])
        found.append("differ" in moved["sentence"])
    assert 0.88 < np.mean(covered) < 1.0
    assert np.mean(alarms) < 0.16
    assert np.mean(found) > 0.9


def test_a_blind_model_gives_shares_and_a_warning_not_an_explosion() -> None:
    labels, source = drawn([0.5, 0.3, 0.2], 200, 0, signal=0.0)
    entry = label_shift(labels, source, drawn([0.1, 0.1, 0.8], 200, 1, signal=0.0)[1], NAMES, FEW)
    assert min(entry["estimated"]) >= 0 and sum(entry["estimated"]) == pytest.approx(1)
    assert "barely tells some classes apart" in entry["sentence"]
    assert max(h - w for h, w in zip(entry["high"], entry["low"], strict=True)) > 0.5


def test_unknown_labels_and_classes_without_samples() -> None:
    labels, source = drawn([0.5, 0.5, 0.0], 100, 0)
    target = drawn([0.2, 0.8, 0.0], 400, 1)[1]
    padded = torch.cat([labels, torch.tensor([-1, -1])]), torch.cat([source, torch.ones(2, 3) / 3])
    entry = label_shift(*padded, target, NAMES, FEW)
    assert entry == label_shift(labels, source, target, NAMES, FEW)
    assert entry["estimated"][2] == entry["high"][2] == 0
    assert "The source has no samples of c" in entry["sentence"]
    assert entry["estimated"][1] == pytest.approx(0.8, abs=0.12)


def test_wrong_shapes_and_no_samples_are_errors() -> None:
    labels, source = drawn([0.5, 0.5], 10, 0)
    with pytest.raises(UsageError, match=r"3 columns, one a class\. Got \[10, 2\] for 10 source labels"):
        label_shift(labels, source, source, NAMES)
    with pytest.raises(UsageError, match="no labelled source or no target samples"):
        label_shift(labels - 5, source, source, NAMES[:2])
