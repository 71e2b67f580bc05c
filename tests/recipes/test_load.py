"""A recipe is found, read, multiplied by its matrix, and written back as the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from limbeck.core import UsageError
from limbeck.recipes import load_plans, read_domain, shipped_recipes
from limbeck.recipes._load import load_learner
from limbeck.recipes._rooms import ROOMS, part_class, part_names, room_of
from limbeck.recipes._schema import Faults, parse, settings_of
from limbeck.recipes._yaml import read_yaml, write_yaml

Recipe = dict[str, Any]


def again(dumped: Recipe) -> Recipe:
    (plan,) = load_plans(read_yaml(write_yaml(dumped), "again"))
    return plan.dump()


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_is_right_and_written_back_as_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMBECK_DATA", "/data")
    for plan in load_plans(name):
        assert again(plan.dump()) == plan.dump()


PARTS = [(room, name) for room in ROOMS for name in part_names(room)]
GIVEN: dict[str, Any] = {"path": "x.csv", "objectives": ["cross_entropy", "kl"], "network": "mlp", "distance": "mmd"}
"""Values for settings without a default, by their name."""

OWN: dict[str, Recipe] = {
    "several": {"parts": [{"csv": {"path": "a.csv"}}, {"csv": {"path": "b.csv"}}]},
    "lacking": {"rows": {"csv": {"path": "a.csv"}}, "like": {"csv": {"path": "b.csv"}}},
    "ensemble": {"members": ["first", "second"]},
    "shot": {"objectives": ["bnm"]},
    "dine": {"objectives": ["bnm"]},
}
"""Values that suit one part alone: what is free of the source takes no term on it."""


@pytest.mark.parametrize(("room", "name"), PARTS, ids=[f"{room.package}.{name}" for room, name in PARTS])
def test_a_part_is_written_back_as_the_same(room: Any, name: str) -> None:
    faults = Faults()
    kind = part_class(room, name)
    signature = settings_of(kind)
    base = next(base for base in kind.__mro__ if room_of(base) is room)
    settings = {key: GIVEN[key] for key in signature if key in GIVEN} | OWN.get(name, {})
    first = parse(base, {name: settings}, room.package, name, faults)
    text = write_yaml({"part": first.dump()})
    second = parse(base, read_yaml(text, name)["part"], room.package, name, faults)
    assert not faults
    assert write_yaml({"part": second.dump()}) == text
    assert set(second.dump()[name]) == set(signature)
    assert isinstance(second.make(), kind)


def test_defaults_are_written_out(recipe: Recipe) -> None:
    dumped = load_plans(recipe)[0].dump()
    assert dumped["training"]["optimiser"] == "adamw"
    assert dumped["rows"]["distilled"]["distill"]["objectives"][1]["kl"] == {"temperature": 4.0}
    assert dumped["teachers"]["teacher"]["network"]["weights"] is None
    assert again(dumped) == dumped


def test_a_matrix_gives_a_plan_for_each_cell(recipe: Recipe) -> None:
    recipe["matrix"] = {"as_is": None, "shifted": {"split.seed": 5, "student.mlp.hidden": [3]}}
    first, second = load_plans(recipe, ["seeds=[4]"])
    assert [first.cell, second.cell] == ["as_is", "shifted"]
    assert [first.make("split").seed, second.make("split").seed] == [0, 5]
    assert second.make("student").hidden == (3,) and first.seeds == second.seeds == [4]
    assert recipe["student"] == {"mlp": {"hidden": [4]}}  # the caller's mapping is not changed


def test_faults_of_a_matrix_name_their_cell(recipe: Recipe) -> None:
    recipe["classes"] = "all"
    recipe["matrix"] = {"a": {"training.epochs": 0}, "b": {"seeds": 0, "rows.distilled.distill.objectives.7": "kl"}}
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    lines = str(caught.value).splitlines()
    # b's override has no place, so b is read no further: what is wrong everywhere is then told of a alone
    assert lines[0] == "3 errors in recipe small:"
    assert any(line.startswith("  - a: training.epochs:") for line in lines)
    assert any(line.startswith("  - b: In 'rows.distilled.distill.objectives.7'") for line in lines)


def test_what_all_cells_have_is_told_once(recipe: Recipe) -> None:
    recipe |= {"classes": "all", "matrix": {"a": {}, "b": {"training.epochs": 0}}}
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    assert str(caught.value).count("classes:") == 1
    assert "- classes:" in str(caught.value) and "- b: training.epochs" in str(caught.value)


@pytest.mark.parametrize("matrix", [["a"], "a", {"a": 5}, {"a": ["seeds"]}, {"../up": {}}, {"": {}}])
def test_a_wrong_matrix_is_told(recipe: Recipe, matrix: Any) -> None:
    with pytest.raises(UsageError, match=r"matrix|a cell"):
        load_plans(recipe | {"matrix": matrix})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must hold a mapping .* It holds None"),
        ("- a", "must hold a mapping"),
        ("just words", "must hold a mapping"),
        ("a: [", "mine.yaml is not YAML"),
        ("\x00", "mine.yaml is not YAML"),
        ("seeds: 1\nseeds: 2", "'seeds' stands twice"),
        ("{}", "3 errors in recipe mine"),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_plans(path)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(UsageError, match=r"mine\.yaml is not YAML"):
        load_plans(path)


def test_a_recipe_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"There is no recipe 'digts'.*Did you mean 'digits'"):
        load_plans("digts")


def test_a_file_and_a_mapping_say_the_same(recipe: Recipe, tmp_path: Path) -> None:
    del recipe["name"]
    path = tmp_path / "named.yaml"
    path.write_text(yaml.safe_dump(recipe))
    (from_file,), (from_mapping,) = load_plans(path), load_plans(recipe)
    assert from_file.name == "named"
    assert from_file.dump() == from_mapping.dump() | {"name": "named"}


def test_teacher_and_teachers_exclude_each_other(recipe: Recipe) -> None:
    recipe["teachers"] = {"other": recipe["teacher"]}
    with pytest.raises(UsageError, match="either 'teacher' or 'teachers'"):
        load_plans(recipe)


def test_a_student_needs_neither_the_data_nor_other_rows(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump(recipe | {"source": {"nowhere:Gone": {}}, "trackers": ["nowhere:Gone"]})
    )
    plan = load_learner(tmp_path, "alone")
    assert list(plan.rows) == ["alone"] and plan.make("student").hidden == (4,)


def test_one_domain_is_read_alone(recipe: Recipe) -> None:
    assert len(read_domain(recipe["source"])) == 80
    with pytest.raises(UsageError, match="There is no data part 'cvs'"):
        read_domain({"cvs": {}})
