"""CORAL against NumPy's covariances and closed forms."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limbeck.core import UsageError
from limbeck.distances.coral import Coral


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equals_numpy() -> None:
    x, y = normal(8, 3, 0), 2 * normal(5, 3, 1)
    difference = np.cov(x.numpy().T) - np.cov(y.numpy().T)
    assert float(Coral()(x, y)) == pytest.approx((difference**2).sum() / (4 * 3**2))


def test_closed_form_of_scaled_points() -> None:
    x = normal(30, 2, 0)
    covariance = np.cov(x.numpy().T)
    assert float(Coral()(x, 3 * x)) == pytest.approx(((8 * covariance) ** 2).sum() / 16)


def test_zero_for_equal_sets_blind_to_means_symmetric_and_turned() -> None:
    x, y = normal(9, 3, 0), 2 * normal(14, 3, 1)
    value = float(Coral()(x, y))
    turn = torch.linalg.qr(normal(3, 3, 2)).Q
    assert float(Coral()(x, x.flip(0))) == pytest.approx(0, abs=1e-25)
    for other in (Coral()(y, x), Coral()(x + 5, y - 3), Coral()(x @ turn, y @ turn)):
        assert float(other) == pytest.approx(value, rel=1e-9)
    assert float(Coral()(2 * x, 2 * y)) == pytest.approx(16 * value)


def test_gradients() -> None:
    x, y = normal(4, 3, 0).requires_grad_(), normal(3, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(Coral(), (x, y))


def test_bfloat16_and_autocast_compute_in_float32() -> None:
    x, y = normal(40, 5, 0).bfloat16(), (2 * normal(40, 5, 1)).bfloat16()
    exact = float(Coral()(x.double(), y.double()))
    assert float(Coral()(x, y)) == pytest.approx(exact, rel=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert float(Coral()(x.float(), y.float())) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("d", [2, 30])
def test_regrouping_equals_the_distance_of_each_grouping(d: int) -> None:
    pooled = normal(14, d, 0) * torch.arange(1, 15, dtype=torch.float64)[:, None] + 100
    first = torch.zeros(2, 14, dtype=torch.float64)
    first[0, :5] = 1
    first[1, [1, 3, 8]] = 1
    second = 1 - first
    second[1, 0] = 0  # in neither group
    values = Coral().regroup(pooled, first, second)
    for value, a, b in zip(values, first.bool(), second.bool(), strict=True):
        assert float(value) == pytest.approx(float(Coral()(pooled[a], pooled[b])), rel=1e-9)


def test_one_point_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"The samples of coral must have at least 2 points each. Got 1 and 4"):
        Coral()(torch.zeros(1, 2), torch.zeros(4, 2))


@pytest.mark.parametrize(("n", "m", "d"), [(6, 9, 40), (12, 5, 18)])
def test_few_wide_points_take_the_shorter_way_to_the_same(n: int, m: int, d: int) -> None:
    x, y = normal(n, d, 0).double().requires_grad_(), (2 * normal(m, d, 1)).double()
    expected = ((torch.cov(x.T) - torch.cov(y.T)) ** 2).sum() / (4 * d**2)
    (wanted,) = torch.autograd.grad(expected, x)
    found = Coral()(x, y)
    (gradient,) = torch.autograd.grad(found, x)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-9)
    torch.testing.assert_close(gradient, wanted)
    assert float(Coral()(x, x + 3)) == pytest.approx(0, abs=1e-12) and float(Coral()(x, x)) == 0
