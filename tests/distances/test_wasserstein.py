"""Sliced and exact W2 against SciPy, POT and closed forms."""

import math

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from limbeck.core import UsageError
from limbeck.distances import _coupling
from limbeck.distances.wasserstein import Wasserstein, directions, exact_wasserstein, squared_wasserstein_1d


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("n", "m"), [(6, 6), (4, 7), (9, 3), (1, 5), (6, 4)])
def test_one_dimension_equals_pot(n: int, m: int) -> None:
    x, y = normal(n, 2, 0), normal(m, 2, 1) + 1
    expected = [ot.emd2_1d(x[:, k].numpy(), y[:, k].numpy()) for k in range(2)]
    assert squared_wasserstein_1d(x, y).tolist() == pytest.approx(expected)


def test_sliced_equals_pot_on_the_same_directions() -> None:
    x, y = normal(8, 3, 0), 2 * normal(5, 3, 1)
    lines = directions(3, 50, 4)
    expected = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=lines)
    assert float(Wasserstein(projections=50, seed=4)(x, y)) == pytest.approx(expected)


def test_exact_equals_the_best_assignment() -> None:
    x, y = normal(7, 3, 0), normal(7, 3, 1)
    cost = torch.cdist(x, y).square().numpy()
    rows, columns = linear_sum_assignment(cost)
    assert float(Wasserstein(exact=True)(x, y)) == pytest.approx(math.sqrt(cost[rows, columns].mean()))


@pytest.mark.parametrize("exact", [False, True])
def test_a_shift_is_its_length_in_the_unit_of_the_data(exact: bool) -> None:
    x, distance = normal(40, 4, 0), Wasserstein(projections=4000, exact=exact)
    length = 6 if exact else 6 / math.sqrt(4)
    assert float(distance(x, x + 3)) == pytest.approx(length, rel=0.02)
    for unit in (10, 1e-9, 1e9):
        assert float(distance(unit * x, unit * (x + 3))) == pytest.approx(unit * float(distance(x, x + 3)))


@pytest.mark.parametrize("exact", [False, True])
def test_zero_for_equal_sets_symmetric_and_blind_to_origin_and_order(exact: bool) -> None:
    x, y, distance = normal(9, 3, 0), normal(6, 3, 1), Wasserstein(exact=exact)
    value = float(distance(x, y))
    assert float(distance(x, x.flip(0))) == pytest.approx(0, abs=1e-6)
    for other in (distance(y, x), distance(x + 5, y + 5), distance(x.flip(0), y)):
        assert float(other) == pytest.approx(value)


@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1e6])
def test_the_coupling_does_not_depend_on_the_unit(unit: float) -> None:
    cost = torch.cdist(normal(40, 3, 0), normal(40, 3, 1)).square()
    assert _coupling.coupling(unit**2 * cost).equal(_coupling.coupling(cost))
    assert _coupling.coupling(torch.zeros(2, 3)).sum() == pytest.approx(1)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("n", [4, 3])
def test_gradients(exact: bool, n: int) -> None:
    x, y = normal(4, 3, 0).requires_grad_(), normal(n, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(Wasserstein(projections=5, exact=exact), (x, y))


@pytest.mark.parametrize("exact", [False, True])
def test_the_gradient_of_equal_sets_is_zero_and_near_them_bounded(exact: bool) -> None:
    for shift, least, most in ((0.0, 0.0, 0.0), (1e-3, 0.01, 1.0)):
        x = torch.eye(3).requires_grad_()
        Wasserstein(exact=exact)(x, torch.eye(3) + shift).backward()
        assert x.grad is not None
        assert least <= float(x.grad.norm()) <= most


def test_exact_is_exactly_zero_for_equal_sets_in_float32() -> None:
    x = (100 + normal(30, 5, 0)).float()
    assert float(Wasserstein(exact=True)(x, x.flip(0))) == 0


def test_the_cap_draws_the_same_points_each_time() -> None:
    x, y = normal(60, 2, 0), normal(50, 2, 1)
    capped = Wasserstein(exact=True, cap=20)
    assert float(capped(x, y)) == float(capped(x, y))
    assert float(capped(x, y)) != float(Wasserstein(exact=True)(x, y))
    assert float(Wasserstein(exact=True, cap=20, seed=1)(x, y)) != float(capped(x, y))


def test_directions_are_unit_vectors_all_around() -> None:
    lines = directions(3, 5000, 0)
    assert np.linalg.norm(lines, axis=0) == pytest.approx(1)
    assert lines @ lines.T / 5000 == pytest.approx(np.eye(3) / 3, abs=0.02)


def test_bfloat16_computes_in_float32() -> None:
    x, y = normal(20, 5, 0).bfloat16(), normal(20, 5, 1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = Wasserstein()(x, y)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(float(Wasserstein()(x.double(), y.double())), rel=1e-5)


@pytest.mark.parametrize("exact", [False, True])
def test_an_empty_sample_is_an_error(exact: bool) -> None:
    with pytest.raises(UsageError, match="wasserstein must have at least 1 points"):
        Wasserstein(exact=exact)(torch.zeros(0, 2), torch.zeros(3, 2))


def test_the_plan_of_a_single_point_is_all_there_is() -> None:
    y = normal(8, 3, 1)
    expected = math.sqrt(float(y.square().sum(1).mean()))
    assert float(exact_wasserstein(torch.zeros(1, 3, dtype=torch.float64), y)) == pytest.approx(expected)


@pytest.mark.parametrize("exact", [False, True])
def test_points_that_are_no_numbers_have_no_distance(exact: bool) -> None:
    x = normal(6, 3, 0)
    x[2, 1] = math.nan
    assert Wasserstein(exact=exact)(x, normal(6, 3, 1)).isnan()


def test_a_transport_that_is_not_found_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_coupling, "PIVOTS", 3)
    with (
        pytest.warns(UserWarning),
        pytest.raises(UsageError, match=r"transport of 40 and 30 points was not found: .*fewer"),
    ):
        Wasserstein(exact=True)(normal(40, 3, 0), normal(30, 3, 1))
