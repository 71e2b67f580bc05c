"""KLIEP against the known density ratio of two Gaussians, and the constraint of its equation."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

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


def test_it_is_what_a_general_solver_finds_with_the_width_that_is_best_on_points_left_out() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(0, 1, (40, 2)), random.normal(0.5, 0.8, (25, 2))
    squared, fold = cdist(y, y, "sqeuclidean"), np.arange(25) % 5
    widths = np.median(squared) * np.array([0.1, 0.25, 0.5, 1.0, 2.0])

    def kernel(points: np.ndarray, width: float) -> np.ndarray:
        return np.exp(-cdist(points, y, "sqeuclidean") / (2 * width))

    def solved(near: np.ndarray, far: np.ndarray) -> np.ndarray:
        """The largest sum of log (far a), a ≥ 0, under mean (near a) = 1."""
        found = minimize(
            lambda a: -np.log(far @ a).mean(),
            np.full(25, 1 / near.mean(0).sum()),
            jac=lambda a: -(far / (far @ a)[:, None]).mean(0),
            bounds=[(0, None)] * 25,
            constraints={"type": "eq", "fun": lambda a: near.mean(0) @ a - 1, "jac": lambda a: near.mean(0)},
            options={"maxiter": 1000, "ftol": 1e-12},
        )
        assert found.success
        return found.x

    def left_out(width: float) -> float:
        near, far = kernel(x, width), kernel(y, width)
        return sum(np.log(far[fold == part] @ solved(near, far[fold != part])).sum() for part in range(5))

    best = max(widths, key=left_out)
    inside = [np.log(kernel(y, w) @ solved(kernel(x, w), kernel(y, w))).sum() for w in widths]
    assert best != widths[np.argmax(inside)]  # the points themselves would prefer another width
    found = density_ratio(torch.from_numpy(x), torch.from_numpy(y), 25)
    for width in widths:
        expected = kernel(x, width) @ solved(kernel(x, width), kernel(y, width))
        assert (np.abs(found.numpy() - expected).max() < 0.015) == (width == best)
