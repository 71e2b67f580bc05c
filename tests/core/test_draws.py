"""Counter-based draws: Philox's published answers, the right distributions, the same numbers in whatever batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from limbeck.core import Draws
from limbeck.core.draws import philox

ALL = 0xFFFFFFFF
ANSWERS = {  # Random123, kat_vectors: philox4x32, 10 rounds
    "zeros": ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    "ones": ((ALL, ALL, ALL, ALL), (ALL, ALL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    "pi": (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
}


@pytest.mark.parametrize(("counter", "key", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("n", [1, 37])
def test_philox_gives_its_published_answers(counter, key, expected, n: int) -> None:
    words = philox(tuple(torch.full((n,), word, dtype=torch.int64) for word in counter), key)
    assert [word.unique().tolist() for word in words] == [[word] for word in expected]


def test_words_of_different_shapes_broadcast() -> None:
    counter = (torch.tensor([[1], [2]]), torch.tensor([[0]]), torch.tensor([[5]]), torch.arange(3)[None])
    whole = philox(tuple(word.contiguous() for word in torch.broadcast_tensors(*counter)), (7, 8))
    for word, expected in zip(philox(counter, (7, 8)), whole, strict=True):
        assert word.broadcast_to(2, 3).equal(expected)


def test_the_words_are_philox_of_seed_sample_view_and_block() -> None:
    """NumPy's Philox is the 64-bit kind, so the counter's layout is checked word by word."""
    from limbeck.core import stream_seed

    draws = Draws(3, torch.tensor([5, 2**33 + 1]), 7)
    key = stream_seed(3, "augment", "crop")
    found = draws.uniform("crop", size=(6,))
    for row, (low, high) in enumerate([(5, 0), (1, 2)]):
        words = []
        for block in range(2):
            counter = tuple(torch.tensor([word]) for word in (low, high, 7, block))
            words += [int(word) for word in philox(counter, (key % 2**32, key // 2**32))]
        assert found[row].tolist() == [(word >> 8) / 2**24 for word in words[:6]]


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("size", [(), (1,), (3,), (5, 7), (1, 28, 28)])
def test_a_sample_gets_the_same_numbers_in_whatever_batch(kind: str, size: tuple[int, ...]) -> None:
    index = torch.randperm(1000, generator=torch.Generator().manual_seed(0))[:64] * 12_345_678_901
    whole = getattr(Draws(0, index, 2), kind)("a", "b", size=size)
    assert whole.shape == (64, *size) and whole.dtype == torch.float32
    for rows in (slice(5, 6), slice(3, 10), slice(None, None, 3)):
        assert getattr(Draws(0, index[rows], 2), kind)("a", "b", size=size).equal(whole[rows])
    views = torch.full((64,), 2)
    assert getattr(Draws(0, index, views), kind)("a", "b", size=size).equal(whole)
    torch.set_num_threads(2)
    try:
        assert getattr(Draws(0, index, 2), kind)("a", "b", size=size).equal(whole)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_seed_name_sample_and_view_each_give_other_numbers(kind: str) -> None:
    index = torch.arange(8)
    base = getattr(Draws(0, index, 0), kind)("a", size=(3,))
    others = [
        getattr(Draws(1, index, 0), kind)("a", size=(3,)),
        getattr(Draws(0, index + 8, 0), kind)("a", size=(3,)),
        getattr(Draws(0, index + 2**32, 0), kind)("a", size=(3,)),
        getattr(Draws(0, index, 1), kind)("a", size=(3,)),
        getattr(Draws(0, index, index + 1), kind)("a", size=(3,)),
        getattr(Draws(0, index, 0), kind)("b", size=(3,)),
        getattr(Draws(0, index, 0), kind)("a", 0, size=(3,)),
        getattr(Draws(0, index, 0).named("b"), kind)("a", size=(3,)),
    ]
    for number, other in enumerate(others):
        assert not (other == base).any(), number
    assert getattr(Draws(0, index).named("x"), kind)("a").equal(getattr(Draws(0, index), kind)("x", "a"))


def test_uniform_draws_are_uniform() -> None:
    found = Draws(0, torch.arange(2000)).uniform("a", size=(50,))
    assert found.min() >= 0 and found.max() < 1
    assert stats.kstest(found.flatten().numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(found[:, 0].numpy(), "uniform").pvalue > 0.01  # over samples
    assert stats.kstest(found[0].numpy(), "uniform").pvalue > 0.01  # within one


def test_normal_draws_are_normal() -> None:
    found = Draws(0, torch.arange(2000)).normal("a", size=(51,))
    assert stats.kstest(found.flatten().numpy(), "norm").pvalue > 0.01
    assert stats.kstest(found[:, 0].numpy(), "norm").pvalue > 0.01
    assert found.isfinite().all()


def test_numbers_of_one_sample_its_neighbours_and_its_views_are_not_correlated() -> None:
    views = [Draws(0, torch.arange(5000), view).normal("a", size=(4,)).numpy() for view in range(3)]
    columns = np.concatenate(views, 1)
    neighbours = np.concatenate([columns[:-1], columns[1:]], 1)
    correlation = np.corrcoef(neighbours, rowvar=False) - np.eye(24)
    assert np.abs(correlation).max() < 5 / np.sqrt(5000)


def test_no_samples_give_no_numbers() -> None:
    empty = Draws(0, torch.empty(0, dtype=torch.int64))
    assert empty.uniform("a", size=(3,)).shape == empty.normal("a", size=(3,)).shape == (0, 3)
