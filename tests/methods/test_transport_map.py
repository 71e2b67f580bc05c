"""The transport map where it is known: a permutation, and shifted points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from limbeck.methods.transport_map import transported


def test_equal_sized_sets_are_matched_by_the_cheapest_permutation() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 6, 2))
    orders = [list(order) for order in itertools.permutations(range(6))]
    best = min(orders, key=lambda order: ((x - y[order]) ** 2).sum())
    np.testing.assert_allclose(transported(torch.from_numpy(x), torch.from_numpy(y), 0.0).numpy(), y[best])


@pytest.mark.parametrize(("entropy", "tolerance"), [(0.0, 1e-12), (1e-3, 1e-2)])
def test_a_shifted_set_is_moved_by_the_shift(entropy: float, tolerance: float) -> None:
    x = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 5.0]]).double()
    torch.testing.assert_close(transported(x, (x + 1).flip(0), entropy), x + 1, atol=tolerance, rtol=0)
