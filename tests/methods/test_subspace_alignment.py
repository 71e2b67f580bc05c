"""Subspace alignment against NumPy's singular vectors."""

from __future__ import annotations

import numpy as np
import torch
from small_world import CLASSES

from limbeck.methods.subspace_alignment import SubspaceAlignment, directions


def test_it_is_the_papers_formula() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(30, 6)) * np.arange(1, 7), random.normal(size=(20, 6)) * np.arange(7, 1, -1)
    P, Q = (np.linalg.svd(rows - rows.mean(0))[2][:3].T for rows in (x, y))
    method = SubspaceAlignment(components=3)
    method.task = CLASSES
    found = method.adapt(torch.from_numpy(x), torch.zeros(30), torch.from_numpy(y))
    assert found.map is not None
    inner = found.points.numpy() @ (y @ found.map.numpy().T).T  # a direction's sign cancels
    np.testing.assert_allclose(inner, x @ P @ P.T @ Q @ (y @ Q).T, atol=1e-8)


def test_directions_are_orthonormal_and_of_falling_variance() -> None:
    x = torch.randn(50, 5, generator=torch.Generator().manual_seed(0)).double() * torch.arange(1, 6)
    P = directions(x, 4)
    torch.testing.assert_close(P.T @ P, torch.eye(4).double())
    assert ((x @ P).var(0).diff() < 0).all()
