"""YAML 1.2 as recipes need it: no truth in `on`, numbers with an exponent, no key twice."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from limbeck.recipes._yaml import read_yaml, write_yaml

TEXTS = ["on", "off", "yes", "no", "y", "12:30", "2024-01-02", "0x1F", "1_000", "e3", "1e", "."]
NUMBERS = {"1e-3": 0.001, "3": 3, "-0.5": -0.5, "010": 10, "1.": 1.0, ".5e2": 50.0, "+2E+3": 2000.0}


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_no_number_is_a_text(text: str) -> None:
    assert read_yaml(text, "x") == text


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_numbers_are_read_with_an_exponent_too(text: str, value: float) -> None:
    read = read_yaml(text, "x")
    assert (read, type(read)) == (value, type(value))


def test_truth_and_nothing_are_read() -> None:
    assert read_yaml("[true, False, null, ~, .inf]", "x") == [True, False, None, None, float("inf")]


OTHERS: list[Any] = ["true", "null", "", "~", "a: b", "#x", "größe", 1e-05, 3, None, True]


@pytest.mark.parametrize("value", [*TEXTS, *NUMBERS, *OTHERS])
def test_what_is_written_is_read_as_the_same(value: Any) -> None:
    read = read_yaml(write_yaml({"key": value, "list": [value]}), "x")
    assert read == {"key": value, "list": [value]} and type(read["key"]) is type(value)


def test_a_key_that_stands_twice_is_named_with_its_line() -> None:
    with pytest.raises(yaml.YAMLError, match=r"'a' stands twice(.|\n)*mine.yaml.*line 2"):
        read_yaml("a: 1\na: 2", "mine.yaml")


def test_a_merged_key_may_be_given_anew() -> None:
    assert read_yaml("base: &b {a: 1}\nown: {<<: *b, a: 2}", "x")["own"] == {"a": 2}


def test_no_object_is_made() -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml("!!python/object/apply:os.system [ls]", "x")
