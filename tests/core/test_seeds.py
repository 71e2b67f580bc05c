"""Named streams: the same name gives the same numbers, another name others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.core import SeedStream, generator, resampled, some_of, stream_seed

NAMES = st.lists(st.one_of(st.text(max_size=5), st.integers()), max_size=4)


@given(seed=st.integers(0, 10), names=NAMES, other=NAMES)
def test_a_stream_is_its_seed_and_its_names(seed: int, names: list, other: list) -> None:
    found = stream_seed(seed, *names)
    assert found == stream_seed(seed, *names) and 0 <= found < 2**63
    assert found != stream_seed(seed + 1, *names)
    if [(type(a), a) for a in names] != [(type(b), b) for b in other] and "\x1f" not in f"{names}{other}":
        assert found != stream_seed(seed, *other)


@given(seed=st.integers(0, 10), names=NAMES, number=st.integers())
def test_a_counted_stream_has_the_seeds_of_its_numbers(seed: int, names: list, number: int) -> None:
    assert SeedStream(seed, *names).seed(number) == stream_seed(seed, *names, number)


def test_a_number_and_its_text_are_different_names() -> None:
    assert stream_seed(0, 1) != stream_seed(0, "1")
    assert stream_seed(0, "a", "b") != stream_seed(0, "ab")


def test_it_does_not_matter_what_was_drawn_before() -> None:
    alone = generator(3, "order", 7).permutation(20)
    np.random.seed(1)
    generator(3, "order", 6).random(1000)
    assert (generator(3, "order", 7).permutation(20) == alone).all()


def test_streams_are_even_and_unrelated() -> None:
    draws = np.array([generator(0, "x", number).random(200) for number in range(200)])
    assert draws.mean() == pytest.approx(0.5, abs=4 * 0.2887 / 200)
    correlations = np.corrcoef(draws) - np.eye(200)
    assert np.abs(correlations).max() < 0.4
    assert np.abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.25


@given(
    weights=st.lists(st.floats(0, 5), min_size=1, max_size=30).filter(lambda w: sum(w) > 0.01), seed=st.integers(0, 3)
)
def test_resampled_positions_come_as_often_as_they_weigh(weights: list[float], seed: int) -> None:
    """Each either the whole part of its expected number, or one more."""
    drawn = resampled(np.array(weights), generator(seed))
    expected = len(weights) * np.array(weights) / sum(weights)
    counts = np.bincount(drawn, minlength=len(weights))
    assert len(drawn) == len(weights) and (np.diff(drawn) >= 0).all()
    assert (np.abs(counts - expected) < 1 + 1e-9).all()


def test_resampling_is_right_on_average() -> None:
    weights = np.array([0.0, 0.3, 2.7, 1.0])
    counts = sum(np.bincount(resampled(weights, generator(seed)), minlength=4) for seed in range(2000))
    assert np.allclose(counts / 2000, weights, atol=0.05)


def test_some_places_are_drawn_from_everywhere_and_always_the_same() -> None:
    chosen = some_of(20_000, 2000)
    assert (np.diff(chosen) > 0).all() and np.array_equal(chosen, some_of(20_000, 2000))
    shares = np.bincount(chosen // 2000, minlength=10) / 2000  # ten classes, one after another
    assert np.abs(shares - 0.1).max() < 0.03
    assert np.array_equal(some_of(7, 7), np.arange(7)) and not len(some_of(0, 5))
