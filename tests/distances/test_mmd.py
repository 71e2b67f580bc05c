"""MMD against closed forms, the plain double sum and scikit-learn's kernels."""

import math

import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel
from torch import Tensor

from limbeck.core import UsageError
from limbeck.distances.mmd import Mmd, gaussian_kernel, median_square, squared_mmd


def normal(n: int, d: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equals_the_u_statistic_over_sklearn_kernels() -> None:
    x, y = normal(7, 3, 0), normal(5, 3, 1) + 1
    distances = torch.pdist(torch.cat([x, y]))
    sigma = float(distances.sort().values[(len(distances) - 1) // 2])
    expected = 0.0
    for b in (0.5, 2.0):
        gamma = 1 / (2 * (b * sigma) ** 2)
        kernels = rbf_kernel(x, x, gamma), rbf_kernel(y, y, gamma)
        within = [(k.sum() - len(k)) / (len(k) * (len(k) - 1)) for k in kernels]
        expected += (sum(within) - 2 * rbf_kernel(x, y, gamma).mean()) / 2
    assert float(squared_mmd(x, y, [0.5, 2.0])) == pytest.approx(expected, rel=1e-9)


def test_unbiased_for_gaussians_whose_mmd_is_known() -> None:
    # E k(x, x') of a unit Gaussian kernel between N(a, s²) and N(b, t²) in one dimension.
    def expected_kernel(variance: float, shift: float) -> float:
        return math.exp(-(shift**2) / (2 * (1 + variance))) / math.sqrt(1 + variance)

    truth = expected_kernel(2, 0) + expected_kernel(8, 0) - 2 * expected_kernel(5, 1)
    values = [float(squared_mmd(normal(20, 1, s), normal(30, 1, 9999 + s, 2.0) + 1, [1.0], 1.0)) for s in range(400)]
    error = torch.tensor(values).std() / math.sqrt(len(values))
    assert abs(sum(values) / len(values) - truth) < 4 * error
    assert error < truth / 20


def test_zero_in_expectation_for_equal_distributions_and_below_zero_for_a_copy() -> None:
    values = torch.tensor([float(Mmd()(normal(10, 2, s), normal(25, 2, 7777 + s))) for s in range(400)])
    assert abs(values.mean()) < 4 * values.std() / 20
    assert values.min() < 0
    x = normal(12, 2, 0)
    mean_kernel = (gaussian_kernel(torch.cat([x, x]), [1.0], 1.0)[:12, :12].sum() - 12) / (12 * 11)
    assert float(squared_mmd(x, x, [1.0], 1.0)) == pytest.approx(float(-2 / 12 * (1 - mean_kernel)))


def test_symmetric_and_blind_to_origin_rotation_scale_and_order() -> None:
    x, y = normal(9, 3, 0), normal(14, 3, 1, 2.0)
    value = float(Mmd()(x, y))
    turn = torch.linalg.qr(normal(3, 3, 2)).Q
    for a, b in ((y, x), (x + 50, y + 50), (x @ turn, y @ turn), (7 * x, 7 * y), (x.flip(0), y)):
        assert float(Mmd()(a, b)) == pytest.approx(value, abs=1e-9)


def test_gradients_are_right_and_finite_where_points_coincide() -> None:
    x, y = normal(4, 3, 0).requires_grad_(), normal(3, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: squared_mmd(a, b, [0.5, 1.0], 1.5), (x, y))
    for value in (0.0, 3.0):
        same = torch.full((4, 2), value, requires_grad=True)
        Mmd()(same, same.detach().clone()).backward()
        assert same.grad is not None and same.grad.isfinite().all()


def test_descending_brings_the_samples_together() -> None:
    x, y = (normal(30, 2, 0) + 2).requires_grad_(), normal(30, 2, 1)
    before = float(Mmd()(x.detach(), y))
    for _ in range(60):
        (gradient,) = torch.autograd.grad(Mmd()(x, y), x)
        x = (x - 20 * gradient).detach().requires_grad_()
    assert float(Mmd()(x.detach(), y)) < before / 10


def test_bfloat16_and_autocast_compute_in_float32() -> None:
    x, y = normal(40, 5, 0).bfloat16(), (normal(40, 5, 1) + 0.3).bfloat16()
    exact = float(Mmd()(x.double(), y.double()))
    assert Mmd()(x, y).dtype == torch.float32
    assert float(Mmd()(x, y)) == pytest.approx(exact, abs=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert float(Mmd()(x.float(), y.float())) == pytest.approx(exact, abs=1e-6)


def test_the_median_survives_many_equal_points() -> None:
    points = torch.cat([torch.zeros(9, 2), torch.ones(1, 2)])
    squared = torch.cdist(points, points).square()
    assert float(median_square(squared)) == pytest.approx(float(squared.sum() / 90))
    assert float(median_square(torch.zeros(4, 4))) == 1


def test_regrouping_equals_the_distance_of_each_grouping() -> None:
    pooled = normal(12, 3, 0)
    first = torch.zeros(2, 12, dtype=torch.float64)
    first[0, :5] = 1
    first[1, [1, 3, 8]] = 1
    second = 1 - first
    second[1, 0] = 0  # in neither group
    values = Mmd(scale=1.5).regroup(pooled, first, second)
    for value, a, b in zip(values, first.bool(), second.bool(), strict=True):
        assert float(value) == pytest.approx(float(Mmd(scale=1.5)(pooled[a], pooled[b])), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (0, 3)])
def test_fewer_than_two_points_are_an_error_and_never_nan(n: int, m: int) -> None:
    with pytest.raises(UsageError, match=f"at least 2 points each. Got {n} and {m}"):
        Mmd()(torch.zeros(n, 2), torch.zeros(m, 2))


def test_features_that_have_nearly_collapsed_have_a_distance_and_a_gradient() -> None:
    x, y = (normal(8, 3, seed, 1e-20).requires_grad_() for seed in (0, 1))
    value = squared_mmd(x, y)
    value.backward()
    assert value.isfinite() and x.grad.isfinite().all() and y.grad.isfinite().all()
