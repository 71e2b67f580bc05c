"""Schedules in closed form."""

from __future__ import annotations

import math

import pytest

from limbeck.core import UsageError
from limbeck.objectives import Schedule, value_at

SHAPES = {
    "linear": lambda p: p,
    "cosine": lambda p: (1 - math.cos(math.pi * p)) / 2,
    "ramp": lambda p: 2 / (1 + math.exp(-10 * p)) - 1,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_goes_from_start_to_end_in_its_shape(shape) -> None:
    schedule = Schedule(start=3.0, end=-1.0, shape=shape)
    for progress in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        assert schedule.at(progress) == pytest.approx(3.0 - 4.0 * SHAPES[shape](progress), abs=1e-3)
    assert schedule.at(0.0) == 3.0
    assert schedule.at(1.0) == pytest.approx(-1.0, abs=1e-12)  # the ramp too is stretched to its end


@pytest.mark.parametrize("shape", SHAPES)
def test_stands_still_outside_its_span(shape) -> None:
    schedule = Schedule(start=1.0, end=2.0, since=0.25, until=0.75, shape=shape)
    assert schedule.at(0.0) == schedule.at(0.25) == 1.0
    assert schedule.at(0.75) == schedule.at(1.0) == pytest.approx(2.0)
    assert schedule.at(0.5) == pytest.approx(Schedule(start=1.0, end=2.0, shape=shape).at(0.5))


def test_an_end_before_the_beginning_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'until' of a schedule must be above its 'since', 0.8"):
        Schedule(start=0.0, end=1.0, since=0.8, until=0.2)


def test_a_plain_number_stays() -> None:
    assert value_at(0.3, 0.9) == 0.3
    assert value_at(Schedule(start=0.0, end=1.0), 0.9) == pytest.approx(0.9)
