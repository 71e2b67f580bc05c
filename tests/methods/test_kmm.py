"""Kernel mean matching against a general solver, and the known density ratio of two Gaussians."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import LinearConstraint, minimize

from limbeck.methods.kmm import largest_eigenvalue, matched_weights, project


def test_it_solves_the_papers_quadratic_programme() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(0, 1, (12, 2)), random.normal(0.8, 0.7, (9, 2))
    across = ((x[:, None] - y) ** 2).sum(2)
    scale = 2 * np.sort(across.ravel())[(across.size - 1) // 2]
    K = np.exp(-((x[:, None] - x) ** 2).sum(2) / scale)
    kappa = np.exp(-across / scale).sum(1) * 12 / 9
    low, high = 12 * (1 - 2 / np.sqrt(12)), 12 * (1 + 2 / np.sqrt(12))

    def cost(beta: np.ndarray) -> float:
        return beta @ K @ beta / 2 - kappa @ beta

    best = minimize(
        cost,
        np.ones(12),
        jac=lambda beta: K @ beta - kappa,
        method="SLSQP",
        bounds=[(0, 2)] * 12,
        constraints=[LinearConstraint(np.ones((1, 12)), low, high)],
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    found = matched_weights(torch.from_numpy(x), torch.from_numpy(y), 1.0, 2.0).numpy()
    assert found.min() >= 0 and found.max() <= 2 and low <= found.sum() <= high
    assert abs(cost(found) - best.fun) < 1e-5


def test_it_follows_the_ratio_of_two_gaussians() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(0, 1, (300, 1)), random.normal(0.7, 0.6, (300, 1))
    found = matched_weights(torch.from_numpy(x), torch.from_numpy(y), 0.5, 10.0).numpy()
    expected = np.exp(-((x - 0.7) ** 2) / (2 * 0.36) + x**2 / 2)[:, 0] / 0.6
    assert np.corrcoef(found, expected)[0, 1] > 0.8
    np.testing.assert_allclose((found * x[:, 0]).mean() / found.mean(), 0.7, atol=0.1)


def test_the_projection_is_the_nearest_point() -> None:
    beta = torch.tensor([4.0, 2.0, -1.0, 0.5]).double()
    found = project(beta, 3.0, 0.1)
    assert 0.9 <= found.mean() <= 1.1 + 1e-9
    rivals = torch.rand(20000, 4, generator=torch.Generator().manual_seed(0)).double() * 3
    rivals = rivals[(rivals.mean(1) - 1).abs() <= 0.1]
    assert ((rivals - beta).norm(dim=1) >= (found - beta).norm() - 1e-9).all()


def test_the_largest_eigenvalue_is_that_of_a_whole_decomposition() -> None:
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(80, 3)))
    K = torch.exp(-torch.cdist(x, x).square())
    expected = float(torch.linalg.eigvalsh(K)[-1])
    assert expected <= float(largest_eigenvalue(K)) < 1.01 * expected
