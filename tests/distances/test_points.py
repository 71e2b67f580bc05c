"""What all distances share: checks, squared distances, a root with a gradient at 0."""

import pytest
import torch
from scipy.spatial.distance import cdist

from limbeck.core import UsageError
from limbeck.distances._points import norm_of_square, points, squared_distances


def test_squared_distances_equal_scipy_far_from_the_origin() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (1000 + torch.randn(n, 3, generator=generator) for n in (6, 4))
    expected = cdist(x.double(), y.double(), "sqeuclidean")
    assert squared_distances(x, y).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_the_distances_of_points_to_themselves_are_the_same_by_less_work() -> None:
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    weights, gradients = torch.randn(6, 6, dtype=torch.float64), []
    for other in (x, x * 1):
        (squared_distances(x, other) * weights).sum().backward()
        gradients.append(x.grad.clone())
        x.grad = None
    assert squared_distances(x, x).equal(squared_distances(x, x * 1))
    torch.testing.assert_close(*gradients)


def test_unequal_widths_name_both_shapes() -> None:
    with pytest.raises(UsageError, match=r"equally wide in both samples. Got \[2, 3\] and \[2, 4\]"):
        points("mmd", torch.zeros(2, 3), torch.zeros(2, 4))


def test_the_root_has_its_usual_gradient_above_zero() -> None:
    squared = torch.tensor(4.0, requires_grad=True)
    norm_of_square(squared).backward()
    assert float(squared.grad or 0) == pytest.approx(0.25)
