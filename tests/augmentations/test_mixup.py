"""Mixtures in closed form, and shares from the Beta distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from limbeck.augmentations.mixup import Mixup, beta, mixed
from limbeck.core import Draws


@pytest.mark.parametrize("shape", [(4,), (3, 5, 6)])
def test_a_mixture_is_what_the_paper_says(shape: tuple[int, ...]) -> None:
    inputs = torch.randn(7, *shape, generator=torch.Generator().manual_seed(0))
    share = torch.linspace(0, 1, 7)
    found = mixed(inputs, share)
    for n in range(7):
        expected = share[n] * inputs[n] + (1 - share[n]) * inputs[n - 1]
        assert found[n].allclose(expected, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_of_the_beta_distribution(alpha: float) -> None:
    shares = beta(Draws(0, torch.arange(5000)).uniform("a"), alpha)
    assert stats.kstest(shares.double().numpy(), stats.beta(alpha, alpha).cdf).statistic < 1.63 / 5000**0.5
    grid = torch.linspace(0.01, 0.99, 5001)  # between two steps of the table the outermost tails are straight
    exact = stats.beta(alpha, alpha).ppf(grid.double().numpy())
    assert np.abs(beta(grid, alpha).numpy() - exact).max() < 1e-4


def test_the_augmentation_uses_those_shares() -> None:
    inputs = torch.eye(6)
    found = Mixup(0.7)(inputs, Draws(0, torch.arange(6)))
    assert found.diagonal().allclose(beta(Draws(0, torch.arange(6)).uniform("share"), 0.7))
    assert found.sum(1).allclose(torch.ones(6))


def test_one_sample_is_mixed_with_itself() -> None:
    inputs = torch.rand(1, 5)
    assert Mixup()(inputs, Draws(0, torch.arange(1))).allclose(inputs)
