"""The gap of features: MMD² by the plain sums, the probe by an independent least squares, and what both must say."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from limbeck.core import UsageError
from limbeck.gap import bandwidth_of, feature_gap


def drawn(n: int, m: int, shift: float, d: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=draw), torch.randn(m, d, generator=draw) + shift


def plain(x: np.ndarray, y: np.ndarray, sigma: float) -> tuple[float, float]:
    """Both numbers in float64, by sums over pairs and by a weighted ridge solved as an augmented least squares."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return math.exp(-((a - b) ** 2).sum() / (2 * sigma**2))

    n, m = len(x), len(y)
    within_x = sum(k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (n * (n - 1))
    within_y = sum(k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (m * (m - 1))
    mmd = within_x + within_y - 2 * sum(k(a, b) for a in x for b in y) / (n * m)
    learn, ask = [*x[::2], *y[::2]], [*x[1::2], *y[1::2]]
    near, far = len(x[::2]), len(y[::2])
    known = np.array([1.0] * near + [-1.0] * far)
    weight = np.where(known > 0, 1 / near, 1 / far) * (near + far) / 2
    kernel = np.array([[k(a, b) for b in learn] for a in learn])
    root = np.linalg.cholesky(kernel + 1e-10 * np.eye(len(learn)))  # f = Lu: least Σ w(f − t)² + 0.1 |u|²
    rows = np.vstack([np.sqrt(weight)[:, None] * root, math.sqrt(0.1) * np.eye(len(learn))])
    u = np.linalg.lstsq(rows, np.append(np.sqrt(weight) * known, np.zeros(len(learn))), rcond=None)[0]
    alpha = np.linalg.solve(root.T, u)
    said = np.array([[k(a, b) for b in learn] for a in ask]) @ alpha > 0
    asked = len(x[1::2])
    return mmd, float((said[:asked].mean() + (~said[asked:]).mean()) / 2)


@pytest.mark.parametrize(("n", "m", "shift"), [(20, 20, 0.0), (30, 11, 0.8), (9, 24, 2.0)])
def test_both_are_those_of_an_independent_computation(n: int, m: int, shift: float) -> None:
    x, y = drawn(n, m, shift)
    found = feature_gap(x, y, 1.7)
    mmd, probe = plain(x.double().numpy(), y.double().numpy(), 1.7)
    assert found.mmd == pytest.approx(mmd, abs=1e-6)
    assert found.probe == pytest.approx(probe, abs=1e-6)


def test_equal_domains_have_no_gap_on_average_and_a_probe_at_chance() -> None:
    found = [feature_gap(*drawn(128, 96, 0.0, seed=seed), 2.0) for seed in range(40)]
    for values, expected in ((np.array([f.mmd for f in found]), 0.0), (np.array([f.probe for f in found]), 0.5)):
        assert abs(values.mean() - expected) < 3 * values.std(ddof=1) / math.sqrt(40)
    assert min(f.mmd for f in found) < 0  # unbiased


def test_a_wider_gap_is_larger_and_easier_to_see() -> None:
    found = [feature_gap(*drawn(128, 128, shift), 2.0) for shift in (0.0, 0.5, 1.0, 4.0)]
    assert [f.mmd for f in found] == sorted(f.mmd for f in found)
    assert [f.probe for f in found] == sorted(f.probe for f in found) and found[-1].probe > 0.98


def test_features_that_vanish_have_no_gap() -> None:
    x, y = drawn(64, 64, 3.0)
    bandwidth = bandwidth_of(x, y)
    assert feature_gap(x, y, bandwidth).mmd > 0.5
    assert abs(feature_gap(1e-4 * x, 1e-4 * y, bandwidth).mmd) < 1e-6
    gone = feature_gap(torch.zeros(64, 3), torch.zeros(64, 3), bandwidth)
    assert gone.mmd == pytest.approx(0, abs=1e-6) and gone.probe == 0.5


def test_the_bandwidth_is_the_median_distance() -> None:
    x, y = drawn(15, 12, 1.0)
    pooled = torch.cat([x, y]).double()
    pairs = torch.cdist(pooled, pooled)[*torch.triu_indices(27, 27, 1)]
    assert bandwidth_of(x, y) == pytest.approx(float(pairs.median()), rel=1e-5)
    assert bandwidth_of(torch.ones(3, 2), torch.ones(3, 2)) > 0


def test_too_few_samples_are_told() -> None:
    with pytest.raises(UsageError, match=r"at least 4 samples of each domain\. Got 9 and 3"):
        feature_gap(torch.zeros(9, 2), torch.zeros(3, 2), 1.0)
