"""Every augmentation keeps the contract of its room: found by discovery, made from its signature."""

from __future__ import annotations

import inspect

import pytest
import torch
from house_tree import parts
from small_world import instances, named
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.core import Draws, UsageError

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 9, 14), (13,)]
FOUND = [augmentation for part in parts() if part.room.base is Augmentation for augmentation in instances(part.cls)]


def suits(augmentation: Augmentation, shape: tuple[int, ...]) -> bool:
    try:
        augmentation.check(shape)
    except UsageError:
        return False
    return True


CASES = [(found, shape) for found in FOUND for shape in SHAPES if suits(found, shape)]


def over(cases: list[tuple[Augmentation, tuple[int, ...]]]) -> pytest.MarkDecorator:
    names = [f"{name}-{shape[-1]}" for name, (_, shape) in zip(named([case[0] for case in cases]), cases, strict=True)]
    return pytest.mark.parametrize(("augmentation", "shape"), cases, ids=names)


EACH = over(CASES)
EACH_ALONE = over([case for case in CASES if not case[0].mixes])
SAMPLES = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:64]


def inputs(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(64, *shape, generator=torch.Generator().manual_seed(1))


def changed(kind: Augmentation, shape: tuple[int, ...], rows=slice(None), seed: int = 0, view: int = 1) -> Tensor:
    return kind(inputs(shape)[rows], Draws(seed, SAMPLES[rows], view))


def test_every_augmentation_suits_something_and_some_are_found() -> None:
    assert {case[0] for case in CASES} == set(FOUND)
    assert len(FOUND) >= 12


@EACH
def test_the_shape_and_the_type_stay_and_the_inputs_too(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    given = inputs(shape)
    found = augmentation(given, Draws(0, SAMPLES, 1))
    assert found.shape == given.shape and found.dtype == given.dtype and found.is_contiguous()
    assert found.isfinite().all()
    assert given.equal(inputs(shape))
    assert not found.equal(given)


@EACH
def test_the_same_again_gives_the_same_bits(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    before = torch.random.get_rng_state()
    first = changed(augmentation, shape)
    assert changed(augmentation, shape).equal(first)
    torch.set_num_threads(2)
    try:
        assert changed(augmentation, shape).equal(first)
    finally:
        torch.set_num_threads(1)
    assert torch.random.get_rng_state().equal(before)


@EACH_ALONE
def test_a_view_is_bit_equal_in_whatever_batch(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    whole = changed(augmentation, shape)
    for row in range(64):
        assert changed(augmentation, shape, slice(row, row + 1))[0].equal(whole[row]), row
    for start in range(0, 64, 7):
        rows = slice(start, start + 7)
        assert changed(augmentation, shape, rows).equal(whole[rows]), start
    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    assert changed(augmentation, shape, order).equal(whole[order])
    torch.set_num_threads(2)
    try:
        assert changed(augmentation, shape, order[:33]).equal(whole[order[:33]])
    finally:
        torch.set_num_threads(1)


@EACH
def test_what_mixes_says_so(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    whole = changed(augmentation, shape)
    alone = torch.cat([changed(augmentation, shape, slice(row, row + 1)) for row in range(64)])
    assert augmentation.mixes == (not alone.equal(whole))


@EACH
def test_other_views_samples_and_seeds_change_otherwise(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    first = changed(augmentation, shape)
    assert not changed(augmentation, shape, view=2).equal(first)
    assert not changed(augmentation, shape, seed=1).equal(first)
    assert not augmentation(inputs(shape), Draws(0, SAMPLES + 1, 1)).equal(first)


@EACH_ALONE
def test_each_of_equal_samples_is_changed_by_its_own_draws(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    found = augmentation(inputs(shape)[:1].repeat(64, *[1] * len(shape)), Draws(0, SAMPLES, 1))
    assert len({sample.numpy().tobytes() for sample in found}) > 1


@EACH
def test_no_samples_stay_none(augmentation: Augmentation, shape: tuple[int, ...]) -> None:
    assert changed(augmentation, shape, slice(0, 0)).shape == (0, *shape)


@pytest.mark.parametrize("augmentation", FOUND, ids=named(FOUND))
def test_shapes_that_do_not_suit_are_refused_with_a_sentence(augmentation: Augmentation) -> None:
    name = type(augmentation).__module__.rpartition(".")[2]
    for shape in [(13,), (5, 7), (1, 8, 8), (2, 8, 8), (3, 8, 8), (3, 2, 8, 8)]:
        try:
            augmentation.check(shape)
        except UsageError as error:
            assert name in str(error) and str(list(shape)) in str(error), error
        else:
            assert augmentation(torch.rand(2, *shape), Draws(0, torch.arange(2))).shape == (2, *shape)


@pytest.mark.parametrize("augmentation", FOUND, ids=named(FOUND))
def test_the_identity_tells_the_kind_and_every_setting(augmentation: Augmentation) -> None:
    kind = type(augmentation)
    settings = {name: getattr(augmentation, name) for name in inspect.signature(kind).parameters}
    assert kind(**settings).identity() == augmentation.identity()
    assert kind.__module__ in augmentation.identity()
    for name, value in settings.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            other = kind(**{**settings, name: type(value)(value + 1 if isinstance(value, int) else value / 2 + 0.01)})
            assert other.identity() != augmentation.identity(), name


def test_no_two_have_one_identity() -> None:
    assert len({augmentation.identity() for augmentation in FOUND}) == len(FOUND)
