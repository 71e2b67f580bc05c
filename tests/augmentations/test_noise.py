"""Noise: its mean, deviation and independence."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from limbeck.augmentations.noise import Noise
from limbeck.core import Draws


@pytest.mark.parametrize("shape", [(13,), (2, 5, 6), (4, 7)])
def test_what_is_added_is_gaussian_of_this_deviation(shape: tuple[int, ...]) -> None:
    inputs = torch.randn(1500, *shape, generator=torch.Generator().manual_seed(0))
    added = Noise(0.3)(inputs, Draws(0, torch.arange(1500))) - inputs
    assert stats.kstest(added.flatten().numpy() / 0.3, "norm").pvalue > 0.01
    assert abs(torch.corrcoef(torch.stack([added.flatten(), inputs.flatten()]))[0, 1]) < 0.03
    assert added.mean(0).abs().max() < 5 * 0.3 / 1500**0.5


def test_no_deviation_is_the_identity() -> None:
    inputs = torch.rand(3, 4)
    assert Noise(0.0)(inputs, Draws(0, torch.arange(3))).equal(inputs)
