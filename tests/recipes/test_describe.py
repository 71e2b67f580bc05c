"""Parts, recipes and keys in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Lt

from limbeck.core import UsageError
from limbeck.data import SplitSettings
from limbeck.distances import Distance
from limbeck.recipes import ROOMS, describe, part_names, recipe_summary, shipped_recipes
from limbeck.recipes._describe import in_words
from limbeck.recipes._rooms import part_class
from limbeck.recipes._schema import settings_of


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Annotated[float, Gt(0)], "a number > 0"),
        (Annotated[float, Ge(0), Lt(1)] | None, "a number ≥ 0 and < 1"),
        (int | str | bool, "a whole number or a text or true or false"),
        (Literal["a", "b"], "'a' or 'b'"),
        (Sequence[str], "a list, each a text"),
        (list[Annotated[int, Gt(0)]], "a list, each a whole number > 0"),
        (Mapping[str, float], "a mapping of names to a number"),
        (Distance, "one of the distances"),
        (Path, "a path"),
        (Any, "any"),
        (SplitSettings, "settings (SplitSettings)"),
    ],
)
def test_hints_in_words(hint: Any, words: str) -> None:
    assert in_words(hint) == words


PARTS = [(room, name) for room in ROOMS for name in part_names(room)]


@pytest.mark.parametrize(("room", "name"), PARTS, ids=[f"{room.package}.{name}" for room, name in PARTS])
def test_a_part_is_described_with_each_of_its_settings(room: Any, name: str) -> None:
    text = describe(name)
    assert f"{name}, one of the {room.package}" in text
    for setting in settings_of(part_class(room, name)):
        assert f"\n  {setting} " in text


def test_ranges_and_defaults_are_shown() -> None:
    assert "temperature  a number > 0 or settings (Schedule) (4.0 by default)" in describe("kl")
    assert "distance  one of the distances (required)" in describe("align")


@pytest.mark.parametrize("key", ["recipe", "row", "teachers", "objectives", "training", "split", "gap"])
def test_a_key_of_a_recipe_is_described(key: str) -> None:
    assert describe(key).startswith(f"{key}, in a recipe")


def test_a_name_that_is_a_recipe_and_a_part_shows_both() -> None:
    text = describe("digits")
    assert text.startswith("# UCI digits") and "digits, one of the data" in text


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_has_a_head(name: str) -> None:
    head = shipped_recipes()[name].read_text("utf-8").splitlines()[:2]
    assert recipe_summary(shipped_recipes()[name]) == head[0].removeprefix("# ")
    assert f"limbeck run {name}" in head[1]


@pytest.mark.parametrize(("word", "hint"), [("mdm", "'mmd'"), ("digit", "'digits'"), ("trainin", "'training'")])
def test_an_unknown_name_is_told(word: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"There is no part, recipe or run folder {word!r}. Did you mean {hint}"):
        describe(word)
