"""Text against signatures: each wrong value is named with its place, its owner, what was expected and what came."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from limbeck.core import UsageError
from limbeck.recipes import load_plans
from limbeck.recipes._overrides import put

Recipe = dict[str, Any]

FAULTS: list[tuple[str, Any, str]] = [
    ("studnt", 1, "the recipe has no setting 'studnt'. Did you mean 'student'?"),
    ("epochs", 3, "the recipe has no setting 'epochs'. Write it under 'training'."),
    ("student", "mpl", "student: There is no network 'mpl'. Did you mean 'mlp'?"),
    ("teacher", "mlp", "teachers.teacher: There is no teacher 'mlp'. It is one of the networks."),
    ("teacher.network", None, "teachers.teacher.network: network needs 'network'."),
    ("source", None, "source: One data part is expected: its name, or {name: {settings}}. Got None."),
    ("source", {"csv": {}}, "source.csv: csv needs 'path'."),
    ("source.csv", "x.csv", "source.csv: The settings of csv must be a mapping. Got 'x.csv'."),
    ("source.csv.path", "$NOPE/x.csv", "'$NOPE/x.csv' needs the environment variable NOPE, which is not set."),
    ("source.csv.drop", "price", "The 'drop' of csv must be a list. Got 'price'."),
    ("source.csv.mapping", {"a": True}, "The 'mapping' of csv must be a text. Got True at ['a']."),
    ("source.csv.task", "clasification", "'regression' (Did you mean 'classification'?). Got 'clasification'."),
    ("training.epochs", 0, "training.epochs: The 'epochs' of training must be > 0. Got 0."),
    ("training.epochs", 2.5, "The 'epochs' of training must be a whole number. Got 2.5."),
    ("training.batch_size", "many", "The 'batch_size' of training must be a whole number. Got 'many'."),
    ("training.warmup", 1.0, "The 'warmup' of training must be < 1. Got 1.0."),
    ("training.optimiser", "adm", "must be 'adamw' or 'adam' or 'sgd' or 'rmsprop' (Did you mean 'adam'?). Got 'adm'."),
    ("training", "fast", "The settings of training must be a mapping. Got 'fast'."),
    ("seeds", 0, "The 'seeds' of the recipe must be > 0 or a list. Got 0."),
    ("seeds", "three", "The 'seeds' of the recipe must be a whole number or a list. Got 'three'."),
    ("seeds", ["a", 2], "The 'seeds' of the recipe must be a whole number. Got 'a' at [0]."),
    ("classes", "both", "The 'classes' of the recipe must be 'same' or 'shared' or 'source'. Got 'both'."),
    ("rows", [], "rows: A mapping of names is expected here. Got []."),
    ("rows", {}, "rows: the recipe needs at least one of its rows."),
    ("rows.alone", None, "rows.alone: One method is expected here, by its name or with settings. Got None."),
    ("rows.alone", {"source_only": {}, "titel": "x"}, "rows.alone: There is no setting 'titel' here. Did you mean"),
    ("rows.alone", {"source_only": {}, "target_only": {}}, "Exactly one method is expected here"),
    ("rows.alone", {"title": "x"}, "Exactly one method is expected here, beside augmentation, compress, start"),
    ("rows.alone.training", {"epochz": 3}, "rows.alone.training: training has no setting 'epochz'. Did you mean"),
    ("rows.alone.training", [1], "must be a mapping. Got [1]."),
    ("gap.distances", ["mmd", "corl"], "gap.distances[1]: There is no distance 'corl'. Did you mean 'coral'?"),
    ("trackers", "tensorbord", "trackers[0]: There is no tracker 'tensorbord'. Did you mean 'tensorboard'?"),
]

OBJECTIVES: list[tuple[Any, str]] = [
    ({"kl": {"temperature": -1}}, "kl.temperature: The 'temperature' of kl must be > 0. Got -1."),
    ({"kl": {"temperature": "hot"}}, "The 'temperature' of kl must be a number. Got 'hot'."),
    ({"kl": {"temperature": {"start": -1, "end": 2}}}, "The 'temperature' of kl must be > 0. Got -1.0."),
    ({"kl": {"temperature": {"start": 1}}}, "temperature needs 'end'."),
    ({"kl": {"temperature": {"start": 1, "end": 2, "shape": "lin"}}}, "(Did you mean 'linear'?). Got 'lin'."),
    ({"kl": {"temprature": 1}}, "kl has no setting 'temprature'. Did you mean 'temperature'?"),
    ({"kl": {}, "weight": "fast"}, "must be a number or 'auto'. Got 'fast'."),
    ({"kl": {}, "on": "targt"}, "(Did you mean 'target'?). Got 'targt'."),
    ("kll", "There is no objective 'kll'. Did you mean 'kl'?"),
    ("mmd", "There is no objective 'mmd'. It is one of the distances."),
    (["kl"], "One objective is expected here, by its name or with settings. Got ['kl']."),
    ({"align": {}}, "align needs 'distance'."),
    ({"align": {"distance": {"mmd": {"scal": 1}}}}, "distance.mmd: mmd has no setting 'scal'. Did you mean 'scale'?"),
    ({"align": {"distance": "a_distance"}}, "must serve as a loss. Got a_distance, which has no gradient."),
]


def faults(recipe: Recipe) -> str:
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    return str(caught.value)


def with_objective(recipe: Recipe, objective: Any) -> Recipe:
    recipe["rows"]["distilled"] = {"distill": {"objectives": ["cross_entropy", objective]}}
    return recipe


@pytest.mark.parametrize(("place", "value", "said"), FAULTS, ids=[f"{place}={value}" for place, value, _ in FAULTS])
def test_a_wrong_value_is_told_with_its_place(recipe: Recipe, place: str, value: Any, said: str) -> None:
    recipe["teachers"] = {"teacher": recipe.pop("teacher")}
    put(recipe, place, value)
    assert said in faults(recipe)


@pytest.mark.parametrize(("objective", "said"), OBJECTIVES, ids=[str(objective) for objective, _ in OBJECTIVES])
def test_a_wrong_objective_is_told_with_its_place(recipe: Recipe, objective: Any, said: str) -> None:
    told = faults(with_objective(recipe, objective))
    assert said in told and "rows.distilled.distill.objectives[1]" in told


def test_all_faults_are_told_at_once(recipe: Recipe) -> None:
    changed = copy.deepcopy(recipe)
    for place, value in (
        ("studnt", 1),
        ("training.epochs", 0),
        ("source.csv.labl", "x"),
        ("rows.alone.start", "nobody"),
        ("seeds", 0),
        ("rows.distilled.distill.objectives.1.kl.temperature", -1),
        ("split.test", 0.9),
        ("rows.alone.training", {"x": 1}),
        ("baseline", "aloen"),
        ("validator", "entropi"),
        ("student.mlp.hiden", [1]),
        ("rows.f", {"fine_tune": {}}),
    ):
        put(changed, place, value)
    told = faults(changed)
    assert told.startswith("12 errors in recipe small:") and told.count("\n  - ") == 12, told


def test_what_a_fault_hides_is_not_told_as_another(recipe: Recipe) -> None:
    recipe["rows"]["alone"] = {"source_onli": {}}
    recipe["rows"]["distilled"]["start"] = "alone"
    assert faults(recipe).startswith("1 error ")


@pytest.mark.parametrize(
    ("objective", "name", "value"),
    [
        ({"kl": {}, "weight": 0.5}, "weight", 0.5),
        ({"kl": {}, "weight": "auto", "on": "both"}, "on", "both"),
        ({"objective": {"kl": {}}, "weight": "1e-1"}, "weight", 0.1),
    ],
)
def test_an_inline_part_has_settings_beside_it(recipe: Recipe, objective: Any, name: str, value: Any) -> None:
    (plan,) = load_plans(with_objective(recipe, objective))
    term = plan.rows["distilled"].make().method.terms.terms[1]
    assert getattr(term, name) == value


def test_a_mapping_is_a_schedule(recipe: Recipe) -> None:
    schedule = {"start": 0, "end": 1, "shape": "cosine"}
    (plan,) = load_plans(with_objective(recipe, {"kl": {"temperature": {"start": 8, "end": 2}}, "weight": schedule}))
    term = plan.rows["distilled"].make().method.terms.terms[1]
    term.at(0.5)
    assert (term.factor, term.objective.current) == (pytest.approx(0.5), 5.0)


def test_numbers_serve_as_texts(recipe: Recipe) -> None:
    recipe["source"]["csv"] |= {"mapping": {0: "well", 1: "ill"}, "where": {"site": 3}, "drop": [5]}
    (plan,) = load_plans(recipe)
    made = plan.make("source")
    assert (made.mapping, made.where, made.drop) == ({"0": "well", "1": "ill"}, {"site": 3.0}, ["5"])


def test_home_and_variables_are_filled_in(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "/data")
    recipe["source"]["csv"]["path"], recipe["target"]["csv"]["path"] = "${HERE}/a.csv", "~/b.csv"
    (plan,) = load_plans(recipe)
    assert plan.make("source").path == Path("/data/a.csv")
    assert plan.make("target").path == Path.home() / "b.csv"


@pytest.mark.parametrize("make", [lambda: "mlp", lambda: {"mlp": None}, lambda: {"mlp": {}}])
def test_settings_may_be_left_out(recipe: Recipe, make: Callable[[], Any]) -> None:
    recipe["student"] = make()
    assert load_plans(recipe)[0].make("student").hidden == (128, 64)


@pytest.mark.parametrize(
    ("place", "value"), [("epochs", True), ("learning_rate", float("inf")), ("learning_rate", float("nan"))]
)
def test_what_is_no_number_is_none(recipe: Recipe, place: str, value: Any) -> None:
    """YAML reads yes and .inf, which Python takes for 1 and a number."""
    recipe["training"][place] = value
    assert f"training.{place}: The {place!r} of training must be a finite number. Got {value!r}." in faults(recipe)
