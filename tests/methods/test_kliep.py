"""KLIEP against the known density ratio of two Gaussians, and the constraint of its equation."""

from __future__ import annotations

import numpy as np
import torch

from limbeck.methods.kliep import density_ratio


def test_it_finds_the_ratio_of_two_gaussians() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(0, 1, (600, 1)), random.normal(0.7, 0.6, (400, 1))
    found = density_ratio(torch.from_numpy(x), torch.from_numpy(y), 60).numpy()
    expected = np.exp(-((x - 0.7) ** 2) / (2 * 0.36) + x**2 / 2)[:, 0] / 0.6
    assert np.corrcoef(found, expected)[0, 1] > 0.95
    assert np.abs(found - expected).mean() < 0.25
    np.testing.assert_allclose(found.mean(), 1, rtol=1e-6)
    assert (found >= 0).all()
