"""Every distance keeps the contract of its room: found by discovery, made from its signature."""

from __future__ import annotations

import jaxtyping
import pytest
import torch
from house_tree import parts
from small_world import instances, named
from torch import Tensor

from limbeck.core import UsageError
from limbeck.distances import Distance, Regroupable

FOUND = [distance for part in parts() if part.room.base is Distance for distance in instances(part.cls)]
PLAIN = [distance for distance in FOUND if not distance.needs_labels]
EACH = pytest.mark.parametrize("distance", PLAIN, ids=named(PLAIN))


def draw(n: int, d: int = 3, seed: int = 0, shift: float = 0.0, dtype: torch.dtype = torch.float64) -> Tensor:
    return (torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift).to(dtype)


def other(distance: Distance, n: int = 12, shift: float = 1.0, d: int = 3) -> Tensor:
    """A second sample: of the same size where rows are pairs."""
    return 2 * draw(n if distance.paired else n - 3, d, seed=1, shift=shift)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_finite_scalar_in_at_least_full_precision(distance: Distance, dtype: torch.dtype) -> None:
    found = distance(draw(12).to(dtype), other(distance).to(dtype))
    assert found.shape == () and found.isfinite()
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    exact = distance(draw(12), other(distance))
    assert found.item() == pytest.approx(exact.item(), rel=0.05, abs=0.05)


@EACH
def test_it_is_symmetric_and_does_not_depend_on_the_order_of_points(distance: Distance) -> None:
    x, y = draw(12), other(distance)
    assert distance(y, x).item() == pytest.approx(distance(x, y).item(), rel=1e-6, abs=1e-9)
    if not distance.paired and distance.differentiable:  # a fold of a classifier's test is a matter of order
        assert distance(x.flip(0), y).item() == pytest.approx(distance(x, y).item(), rel=1e-6, abs=1e-9)


@EACH
def test_the_same_again_gives_the_same(distance: Distance) -> None:
    x, y = draw(12), other(distance)
    before = torch.random.get_rng_state()
    assert distance(x, y).equal(distance(x, y))
    assert torch.random.get_rng_state().equal(before)


@EACH
def test_equal_samples_are_at_most_zero_apart_and_different_ones_more(distance: Distance) -> None:
    """An unbiased estimate may lie slightly below zero; none lies above for a sample and its own copy."""
    x = draw(60)
    assert distance(x, x.clone()).item() <= 1e-6
    assert distance(x, 3 * draw(60, seed=1, shift=2.0)).item() > 10 * abs(distance(x, x.clone()).item()) + 1e-3


@EACH
def test_it_grows_with_the_difference(distance: Distance) -> None:
    found = [distance(draw(60), (1 + k) * draw(60, seed=1, shift=k)).item() for k in (0.0, 0.3, 1.0, 3.0)]
    assert found == sorted(found)


DIFFERENTIABLE = [distance for distance in PLAIN if distance.differentiable]


@pytest.mark.parametrize("distance", DIFFERENTIABLE, ids=named(DIFFERENTIABLE))
def test_its_gradient_is_that_of_finite_differences(distance: Distance) -> None:
    """A scale that is set from the data (a median) is held still, as the docstrings say."""
    x, y = draw(6).requires_grad_(), other(distance, 6 if distance.paired else 7).requires_grad_()
    fixed = {"scale": 1.5} if "scale" in vars(distance) else {}
    held = type(distance)(**{**vars(distance), **fixed})
    assert torch.autograd.gradcheck(held, (x, y))


@pytest.mark.parametrize("distance", DIFFERENTIABLE, ids=named(DIFFERENTIABLE))
def test_gradients_reach_both_samples_and_stay_finite_where_points_coincide(distance: Distance) -> None:
    for x, y in ((draw(8), other(distance, 8)), (draw(8), draw(8)), (torch.zeros(8, 3), torch.zeros(8, 3))):
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        distance(x, y).backward()
        assert x.grad.isfinite().all() and y.grad.isfinite().all()
    far = draw(8).requires_grad_(), other(distance, 8).requires_grad_()
    distance(*far).backward()
    assert all(side.grad.abs().max() > 0 for side in far)


@pytest.mark.parametrize("distance", [d for d in PLAIN if not d.differentiable], ids=lambda d: type(d).__name__)
def test_what_claims_no_gradient_gives_none(distance: Distance) -> None:
    assert not distance(draw(8).requires_grad_(), other(distance, 8).requires_grad_()).requires_grad


@EACH
def test_other_widths_are_refused_with_both_shapes(distance: Distance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as where no test runs
    with pytest.raises(UsageError, match=r"\[12, 3\] and \[\d+, 4\]"):
        distance(draw(12), other(distance, d=4))


@EACH
@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0), (1, 5), (5, 1), (1, 1)])
def test_few_points_behave_or_are_refused_with_their_number(distance: Distance, n: int, m: int) -> None:
    if distance.paired and n != m:
        m = n
    try:
        found = distance(draw(n), draw(m, seed=1))
    except UsageError as error:
        assert f"{n} and {m}" in str(error) or f"[{n}, 3] and [{m}, 3]" in str(error)
    else:
        assert min(n, m) > 0 and found.isfinite()


REGROUPABLE = [distance for distance in PLAIN if isinstance(distance, Regroupable)]


@pytest.mark.parametrize("distance", REGROUPABLE, ids=named(REGROUPABLE))
def test_regrouping_gives_the_distance_of_each_grouping(distance: Regroupable) -> None:
    pooled = torch.cat([draw(9), other(distance, 12)])
    fixed = {"scale": 1.5} if "scale" in vars(distance) else {}
    held = type(distance)(**{**vars(distance), **fixed})
    groups = torch.zeros(4, 2, len(pooled), dtype=torch.float64)
    for number in range(4):
        order = torch.randperm(len(pooled), generator=torch.Generator().manual_seed(number))
        groups[number, 0, order[:6]] = 1
        groups[number, 1, order[6:14]] = 1  # the rest are in neither
    found = held.regroup(pooled, groups[:, 0], groups[:, 1])
    for number, (first, second) in enumerate(groups):
        expected = held(pooled[first.bool()], pooled[second.bool()])
        assert found[number].item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-9)
