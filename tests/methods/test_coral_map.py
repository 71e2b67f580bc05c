"""CORAL's map: the covariance that it gives is the target's."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import sqrtm

from limbeck.methods.coral_map import recoloured


def test_the_source_gets_the_covariance_of_the_target() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(80, 4)) @ random.normal(size=(4, 4)), random.normal(size=(50, 4)) * (1, 2, 3, 4)
    found = recoloured(torch.from_numpy(x), torch.from_numpy(y), 1e-10).numpy()
    np.testing.assert_allclose(np.cov(found.T), np.cov(y.T), rtol=1e-6, atol=1e-6)


def test_with_a_ridge_it_is_the_papers_formula() -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(9, 12)), random.normal(size=(7, 12)) * 2  # fewer rows than features
    source, target = np.cov(x.T) + np.eye(12), np.cov(y.T) + np.eye(12)
    expected = x @ np.linalg.inv(sqrtm(source)) @ sqrtm(target)
    found = recoloured(torch.from_numpy(x), torch.from_numpy(y), 1.0).numpy()
    np.testing.assert_allclose(found, np.real(expected), atol=1e-8)
