"""The one sentence for a bad value, hints, exit codes."""

from __future__ import annotations

import pytest

from limbeck.core import LimbeckError, RunError, SealedLabelsError, UsageError, bad_value, did_you_mean, missing_extra


def test_the_sentence_names_parameter_owner_expectation_value_and_mend() -> None:
    error = bad_value("temperature", "kl", "> 0", -1, "Use 4.")
    assert str(error) == "The 'temperature' of kl must be > 0. Got -1. Use 4."
    assert isinstance(error, UsageError) and isinstance(error, ValueError)


def test_exit_codes() -> None:
    assert [kind.exit_code for kind in (LimbeckError, UsageError, RunError, SealedLabelsError)] == [1, 2, 1, 1]


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("temprature", ["weight", "temperature"], "Did you mean 'temperature'?"),
        ("zzz", ["weight", "a"], "Known: a, weight."),
        ("zzz", [], "There are none here."),
    ],
)
def test_hints(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint


def test_an_absent_library_names_its_extra() -> None:
    assert "Run: pip install 'limbeck[vision]'" in str(missing_extra("timm", "vision", "The network timm"))
