"""The geodesic flow between subspaces: its ends, and the integral that its map stands for, by quadrature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad_vec
from scipy.linalg import expm, null_space

from limbeck.methods._geodesic import geodesic_map, principal_directions


def bases(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(count)
    first, second = (np.linalg.qr(random.normal(size=(7, count)))[0] for _ in range(2))
    return first, second


@pytest.mark.parametrize("count", [1, 2, 3])
def test_it_is_the_integral_along_the_papers_flow(count: int) -> None:
    """With the rotation that carries one basis to the other as an exponential, found in another way."""
    start, end = bases(count)
    B = geodesic_map(torch.from_numpy(start), torch.from_numpy(end)).numpy()
    rest = null_space(start.T)
    turned, _, back = np.linalg.svd(start.T @ end)
    frame = np.hstack([start, rest])  # coordinates in which the start is the first unit vectors
    target = frame.T @ end @ (turned @ back).T
    below, angles, right = np.linalg.svd(target[count:], full_matrices=False)
    generator = np.zeros((7, 7))
    generator[count:, :count] = below * np.arcsin(angles.clip(0, 1)) @ right
    generator[:count, count:] = -generator[count:, :count].T

    def kernel(t: float) -> np.ndarray:
        flow = frame @ expm(t * generator)[:, :count]
        return flow @ flow.T

    np.testing.assert_allclose(kernel(0), start @ start.T, atol=1e-10)
    np.testing.assert_allclose(kernel(1), end @ end.T, atol=1e-10)
    np.testing.assert_allclose(B @ B.T, quad_vec(kernel, 0, 1)[0], atol=1e-8)


def test_between_a_subspace_and_itself_it_is_the_projection() -> None:
    start = torch.from_numpy(bases(3)[0])
    turned = start @ torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    B = geodesic_map(start, turned)
    torch.testing.assert_close(B @ B.T, start @ start.T, atol=1e-6, rtol=0)  # angles are arccosines near 1
    assert geodesic_map(start, start).isfinite().all()


def test_principal_directions_are_those_of_the_covariance() -> None:
    rows = torch.randn(30, 5, generator=torch.Generator().manual_seed(0)).double() * torch.arange(1, 6) + 3
    found = principal_directions(rows, 2)
    vectors = torch.linalg.eigh(torch.cov(rows.T)).eigenvectors.flip(1)[:, :2]
    torch.testing.assert_close(found @ found.T, vectors @ vectors.T)
