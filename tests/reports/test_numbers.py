"""Numbers have as many digits as their spread supports."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.reports._numbers import NONE, Measure, duration, fixed, p_value, ratio, shorten, significant, size
from limbeck.reports.terminal import _difference, _spread


@pytest.mark.parametrize(
    ("mean", "std", "written"),
    [
        (0.97462, 0.0023, "97.46 ± 0.23"),
        (0.7, 0.043, "70.0 ± 4.3"),
        (0.65, 0.123, "65 ± 12"),
        (0.97801, 0.00004, "97.80 ± 0.00"),  # two decimals of a percent are enough for any test split
        (0.9, 0.0, "90.0 ± 0.0"),
        (0.5, 0.0996, "50 ± 10"),  # 9.96 is 10 in two digits
        (0.5, None, "50.0"),
    ],
)
def test_a_share_has_two_digits_of_its_spread(mean: float, std: float | None, written: str) -> None:
    assert Measure("accuracy").spread(mean, std) == written


@pytest.mark.parametrize(
    ("mean", "std", "written"),
    [(12.3456, 0.234, "12.35 ± 0.23"), (1234.5, 56.7, "1,234 ± 57"), (-0.25, 0.031, "−0.250 ± 0.031")],
)
def test_other_metrics_keep_their_unit(mean: float, std: float, written: str) -> None:
    assert Measure("rmse").spread(mean, std) == written


def test_one_seed_has_no_spread() -> None:
    values = {"accuracy": {"mean": 0.8123, "std": 0.0}, "auc": None}
    assert Measure("accuracy").of(values, seeds=1) == "81.2"
    assert Measure("accuracy").of(values, seeds=2) == "81.2 ± 0.0"
    assert Measure("auc").of(values, seeds=2) == NONE
    assert Measure("accuracy").of(None, seeds=2) == NONE


@given(st.floats(1e-5, 1e5), st.floats(-1e5, 1e5))
def test_the_spread_keeps_two_digits_or_whole_numbers(std: float, mean: float) -> None:
    written_mean, written = Measure("rmse").spread(mean, std).replace(",", "").replace("−", "-").split(" ± ")
    step = 10.0 ** -max(0, min(6, 1 - math.floor(math.log10(std))))
    assert abs(float(written) - std) <= 0.51 * max(step, 0.1 * step * 10)
    assert abs(float(written_mean) - mean) <= 5.1 * step
    assert len(written.partition(".")[2]) == len(written_mean.partition(".")[2])


def test_a_difference_has_the_digits_of_its_interval() -> None:
    assert Measure("accuracy").difference(0.0812, 0.0604, 0.1011) == ("+8.1", "+6.0 to +10.1")
    assert Measure("rmse").difference(-0.31, -0.52, -0.09) == ("−0.31", "−0.52 to −0.09")
    assert Measure("accuracy").difference(0.0, 0.0, 0.0) == ("0.0", "0.0 to 0.0")


@pytest.mark.parametrize(
    ("function", "value", "written"),
    [
        (size, 999, "999 B"),
        (size, 999_600, "1.00 MB"),
        (size, 1_687_336, "1.69 MB"),
        (size, 12, "12 B"),
        (size, 0, "0 B"),
        (size, None, NONE),
        (duration, 59.96, "1 min 00 s"),
        (duration, 3599.7, "1 h 00 min"),
        (duration, None, NONE),
        (p_value, 0.00001, "< 0.0001"),
        (p_value, 0.0342, "0.034"),
        (p_value, 1.0, "1"),
    ],
)
def test_sizes_times_and_chances(function, value: float | None, written: str) -> None:
    assert function(value) == written


def test_ratios_say_which_is_smaller() -> None:
    assert ratio(1, 10) == "1/10"
    assert ratio(10, 11) == "1/1.1"
    assert ratio(30, 10) == "3.0 ×"
    assert ratio(None, 10) == ratio(10, None) == NONE


def test_numbers_are_never_in_scientific_notation() -> None:
    assert significant(1.23456e-7, 2) == "0.00000012"
    assert significant(9.96, 2) == "10"
    assert significant(None, 2) == NONE
    assert fixed(-0.0001, 2) == "0.00"


@given(st.text(max_size=30), st.integers(2, 20))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    short = shorten(text, width)
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]) and len(short) <= width)


def test_wide_letters_take_two_columns() -> None:
    assert shorten("肺炎克雷伯", 6) == "肺炎…"
    assert shorten("肺炎", 4) == "肺炎"


def test_large_errors_stand_in_the_console_without_exponents() -> None:
    assert _spread({"rmse": {"mean": 12360.4, "std": 321.0}}, "rmse", False, 3) == "12360 ± 320"
    assert _difference({"difference": -1234.5, "low": -1300.0, "high": 5.0}, False) == "-1230 [-1300, +5]"
