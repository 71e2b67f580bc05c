"""The directions of TCA and JDA against the dense generalised eigenproblem, built sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import eigh

from limbeck.methods._components import mean_differences, transfer_directions


@pytest.mark.parametrize("joint", [False, True], ids=["tca", "jda"])
def test_they_solve_the_papers_eigenproblem(joint: bool) -> None:
    random = np.random.default_rng(0)
    x, y, labels, guessed = (
        random.normal(size=(12, 4)),
        random.normal(size=(9, 4)) + 1,
        np.arange(12) % 3,
        np.arange(9) % 2,
    )
    M = np.zeros((21, 21))
    for label in [None, 0, 1, 2] if joint else [None]:
        near = np.ones(12, bool) if label is None else labels == label
        far = np.ones(9, bool) if label is None else guessed == label
        if far.any():
            e = np.concatenate([near / near.sum(), -1.0 * far / far.sum()])
            M += np.outer(e, e)
    X, H = np.concatenate([x, y]).T, np.eye(21) - 1 / 21
    values, vectors = eigh(X @ M @ X.T + 0.3 * np.eye(4), X @ H @ X.T)
    X_s, X_t = torch.from_numpy(x), torch.from_numpy(y)
    known = (torch.from_numpy(labels), torch.from_numpy(guessed)) if joint else ()
    A = transfer_directions(X_s, X_t, mean_differences(X_s, X_t, *known), 0.3, 2).numpy()
    np.testing.assert_allclose(A.T @ X @ H @ X.T @ A, np.eye(2), atol=1e-8)
    np.testing.assert_allclose(np.diag(A.T @ (X @ M @ X.T + 0.3 * np.eye(4)) @ A), values[:2], rtol=1e-8)
    np.testing.assert_allclose(np.abs(A), np.abs(vectors[:, :2]), atol=1e-8)


def test_beyond_the_rank_of_the_rows_there_is_no_direction() -> None:
    x = torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).double()
    A = transfer_directions(x, x + 1, torch.ones(1, 6).double(), 1.0, 6)
    assert A.isfinite().all() and (A.norm(dim=0) > 0).sum() == 2
