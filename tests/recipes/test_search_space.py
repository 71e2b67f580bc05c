"""What a search may change: ranges of the recipe's, or the sizes that the parts declare."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from limbeck.core import UsageError
from limbeck.recipes import load_plans
from limbeck.recipes._keys import Range
from limbeck.recipes._search_space import Extreme, Space, space_of

Recipe = dict[str, Any]


def space(recipe: Recipe, row: str = "distilled") -> dict[str, Any]:
    return dict(space_of(load_plans(recipe)[0], row).places)


def test_sizes_and_balance_are_found_by_their_hints(recipe: Recipe) -> None:
    objectives = ["cross_entropy", {"kl": {"temperature": 2}, "weight": 0.5}]
    recipe["rows"]["distilled"] = {"distill": {"objectives": objectives}}
    recipe["student"] = {"mlp": {"hidden": [16, 8], "dropout": 0.2}}
    place = "rows.distilled.distill.objectives.1"
    assert space(recipe) == {
        "student.mlp.hidden": Range(2, 32, length=(1, 3)),
        f"{place}.weight": Range(0.125, 2.0),
        f"{place}.kl.temperature": Range(1.0, 8.0),
    }


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        ({"mlp": {"hidden": []}}, {}),
        ({"resnet": {"depth": 20, "width": 0.5}}, {"depth": Range(8, 40), "width": Range(0.125, 1.0)}),
        (
            {"cnn": {"hidden": 64}},
            {"widths": Range(8, 128, length=(1, 3)), "hidden": Range(16, 128), "kernel": Range(3, 6)},
        ),
    ],
)
def test_each_network_declares_its_sizes(recipe: Recipe, student: dict[str, Any], expected: dict[str, Range]) -> None:
    (name,) = student
    recipe |= {"student": student, "rows": {"distilled": {"distill": {"objectives": ["cross_entropy", "kl"]}}}}
    found = {place: own for place, own in space(recipe).items() if place.startswith("student.")}
    assert found == {f"student.{name}.{key}": own for key, own in expected.items()}


def test_a_row_with_a_student_of_its_own_is_searched_there(recipe: Recipe) -> None:
    recipe["rows"]["alone"] = {"source_only": {}, "student": {"mlp": {"hidden": [6]}}}
    assert space(recipe, "alone") == {"rows.alone.student.mlp.hidden": Range(1, 12, length=(1, 2))}


def test_the_weight_that_is_no_number_and_a_scheduled_temperature_stay(recipe: Recipe) -> None:
    term = {"kl": {"temperature": {"start": 8.0, "end": 2.0}}, "weight": "auto"}
    recipe["rows"]["distilled"]["distill"]["objectives"][1] = term
    assert list(space(recipe)) == ["student.mlp.hidden"]


def test_where_there_is_nothing_to_search_it_is_said(recipe: Recipe) -> None:
    recipe["student"] = {"mlp": {"hidden": []}}
    with pytest.raises(UsageError, match=r"Nothing can be searched of row 'alone': its student declares no sizes\."):
        space(recipe, "alone")


def test_what_is_named_replaces_what_is_declared(recipe: Recipe) -> None:
    recipe["search"] = {"space": {"training.learning_rate": {"low": 0.001, "high": 0.1}, "training.epochs": [1, 2]}}
    assert space(recipe) == {"training.learning_rate": Range(0.001, 0.1), "training.epochs": [1, 2]}


@pytest.mark.parametrize(
    ("searched", "said"),
    [
        ({"low": 8, "high": 4}, "The 'low' of a range must be at most 'high', 4. Got 8."),
        ({"low": 0, "high": 4, "log": True}, "The 'low' of a logarithmic range must be > 0. Got 0."),
        ({"low": 1, "high": 4, "length": [3, 1]}, "must be a number, or two in ascending order. Got [3, 1]."),
        ({"low": 1, "hihg": 4}, "has no setting 'hihg'. Did you mean 'high'?"),
        (7, "search.space.student.mlp.hidden"),
        ([], "The list of what may stand at 'student.mlp.hidden' is empty"),
    ],
)
def test_a_bad_range_is_told(recipe: Recipe, searched: Any, said: str) -> None:
    recipe["search"] = {"space": {"student.mlp.hidden": searched}}
    with pytest.raises(UsageError) as caught:
        space(recipe)
    assert said in str(caught.value)


class Drawn:
    """A draw that takes what it is given."""

    def __init__(self, numbers: dict[str, Any]):
        self.numbers = numbers

    def take(self, name: str, *limits: Any, log: bool = False) -> Any:
        return self.numbers[name]

    suggest_int = suggest_float = suggest_categorical = take


def test_parameters_are_what_has_to_be_drawn() -> None:
    searched = Space(
        {
            "a": Range(2, 9),
            "b": Range(0.5, 2.0),
            "c": [None, {"mlp": {"hidden": [3]}}],
            "d": Range(1, 5, length=(0, 2)),
            "e": Range(1, 5, length=1),
        }
    )
    values = {"a": 9, "b": 0.5, "c": {"mlp": {"hidden": [3]}}, "d": [4, 2], "e": [5]}
    parameters = searched.parameters(values)
    assert parameters is not None and searched.drawn(Drawn(parameters)) == values
    others = {"a": [1, 10, 2.5, True], "b": [0.4, "1"], "c": ["mlp"], "d": [[1, 2, 3], [6], 3], "e": [[], [1, 1]]}
    for place, wrong in others.items():
        assert all(searched.parameters({**values, place: value}) is None for value in wrong), place


def test_extremes_reach_both_ends_of_the_lengths() -> None:
    searched = Space({"a": Range(2, 9, length=(1, 3)), "b": Range(0.5, 2.0)})
    assert [searched.drawn(Extreme(long)) for long in (False, True)] == [
        {"a": [2], "b": 0.5},
        {"a": [2, 2, 2], "b": 0.5},
    ]


def test_own_values_are_those_of_the_resolved_recipe(recipe: Recipe) -> None:
    content = load_plans(copy.deepcopy(recipe))[0].dump()
    place = "rows.distilled.distill.objectives.1.kl.temperature"
    assert Space({place: Range(1.0, 9.0)}).own(content) == {place: 4.0}
    with pytest.raises(UsageError, match=r"The recipe has no 'student\.cnn\.hidden': there is nothing at 'cnn'\."):
        Space({"student.cnn.hidden": [1]}).own(content)
