"""Weights of sources and samples, against densities that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from limbeck.core import UsageError
from limbeck.gap import density_ratio, source_shares
from limbeck.gap.weights import _weights


def drawn(mean: float, n: int, seed: int, width: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(mean, 1.0, (n, width)))


def test_the_ratio_of_two_gaussians_is_their_densities() -> None:
    """log p_T/p_S = μx − μ²/2 for N(μ, 1) against N(0, 1)."""
    x, y = drawn(0.0, 4000, 0), drawn(1.0, 3000, 1)
    ratio, points = density_ratio(x, y), x[:, 0].numpy()
    true = norm.pdf(points, 1) / norm.pdf(points)
    inner = np.abs(points) < 2
    assert np.abs(np.log(ratio / true))[inner].max() < 0.25
    assert np.isclose(ratio.mean(), 1)
    # Weighted by it, the source has the target's mean.
    assert abs((ratio * points).mean() - 1.0) < 0.1 < abs(points.mean() - 1.0)


def test_equal_domains_weigh_all_alike() -> None:
    ratio = density_ratio(drawn(0.0, 2000, 0, width=5), drawn(0.0, 2000, 1, width=5))
    assert np.abs(ratio - 1).max() < 0.6 and np.abs(ratio - 1).mean() < 0.1


@pytest.mark.parametrize("far", [8.0, 40.0, 1e3, 1e6])
def test_no_weight_is_without_bound(far: float) -> None:
    """One sample of the source lies where the target is, or beyond it; it does not become the whole source."""
    x = torch.cat([drawn(0.0, 999, 0, width=2), torch.full((1, 2), far, dtype=torch.float64)])
    ratio = density_ratio(x, drawn(8.0, 500, 1, width=2))
    assert ratio.argmax() == 999 and np.isfinite(ratio).all() and (ratio >= 0).all()
    assert np.isclose(ratio.max(), 50) and np.isclose(ratio.mean(), 1)


@pytest.mark.parametrize("far", [40.0, 100.0, 1e6])
def test_one_outlier_leaves_the_other_samples_their_weights(far: float) -> None:
    x = drawn(0.0, 2000, 0, width=1)
    x[0] = far
    ratio = density_ratio(x, drawn(1.0, 2000, 1, width=1))
    assert ratio.max() <= 50 + 1e-9 and ratio.sum() ** 2 / (ratio**2).sum() > 300


@pytest.mark.parametrize(("n", "high"), [(2, 1), (49, 1), (50, 2), (51, 1), (100, 2), (101, 1), (101, 3), (2000, 30)])
def test_what_is_cut_is_cut_to_fifty_times_the_mean(n: int, high: int) -> None:
    """The others stay as they are to each other, and nothing is cut that need not be."""
    odds = np.random.default_rng(n).normal(size=n)
    odds[:high] = 900 + np.arange(high)  # exp(900) is beyond a float
    weights = _weights(odds)
    cut = weights > 50 - 1e-6
    assert np.isclose(weights.mean(), 1) and np.allclose(weights[cut], 50) and cut.any() == (n > 50)
    kept = np.exp(odds[~cut] - odds[~cut].max())
    assert np.allclose(weights[~cut], weights[~cut].max() * kept)


def mixed(shares: tuple[float, ...], means: tuple[float, ...], n: int = 3000) -> torch.Tensor:
    parts = [drawn(mean, round(n * share), 7 + i) for i, (share, mean) in enumerate(zip(shares, means, strict=True))]
    return torch.cat(parts)


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.7, 0.3, 0.0), (0.2, 0.5, 0.3)])
def test_the_shares_of_a_known_mixture_are_found(shares: tuple[float, ...]) -> None:
    means, sizes = (0.0, 3.0, -4.0), (2000, 500, 1000)  # of other sizes than the shares
    source = torch.cat([drawn(mean, size, i) for i, (mean, size) in enumerate(zip(means, sizes, strict=True))])
    origins = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    found = source_shares(source, origins, mixed(shares, means))
    assert np.allclose(found, shares, atol=0.03) and np.isclose(found.sum(), 1)


def test_a_far_source_gets_nearly_nothing_and_equal_ones_share() -> None:
    far = torch.cat([drawn(0.0, 500, 0, 60), drawn(6.0, 500, 1, 60)])
    assert source_shares(far, torch.arange(1000) // 500, drawn(0.2, 400, 2, 60))[1] < 1e-3
    equal = torch.cat([drawn(0.0, 2000, 0), drawn(0.0, 2000, 1)])
    found = source_shares(equal, torch.arange(4000) // 2000, drawn(0.0, 2000, 2))
    assert 0.2 < found[0] < 0.8


def test_wide_samples_are_seen_through_their_principal_directions() -> None:
    """Of 400 features one tells the source at hand from the other; the directions keep it, as it varies most."""
    x, y = drawn(0.0, 600, 0, 400), drawn(0.0, 300, 1, 400)
    x[:300, 0] += 30
    y[:, 0] += 30
    assert source_shares(x, torch.arange(600) // 300, y)[0] > 0.99


def test_constant_features_and_few_samples() -> None:
    constant = torch.ones(6, 3)
    assert np.allclose(density_ratio(constant, torch.ones(4, 3)), 1)
    assert np.allclose(source_shares(constant, torch.arange(6) // 3, torch.ones(4, 3)), 0.5)
    with pytest.raises(UsageError, match="at least two"):
        source_shares(constant, torch.zeros(6, dtype=torch.int64), constant)
    with pytest.raises(UsageError, match=r"at least two of the source\. Got 1, 4"):
        density_ratio(torch.ones(1, 3), torch.ones(4, 3))
