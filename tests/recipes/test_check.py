"""What cannot work together is told before anything runs."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs, Spec, Task, UsageError
from limbeck.objectives import Objective
from limbeck.recipes import load_plans
from limbeck.recipes._overrides import put
from limbeck.teachers import Teacher

Recipe = dict[str, Any]


class Scores(Teacher):
    """A teacher that has nothing but logits, as one from scikit-learn has."""

    def build(self, shape: tuple[int, ...], task: Task, layers: Any) -> None: ...

    def spec(self) -> Spec:
        return Spec(2)

    def label(self, inputs: Tensor) -> Knowledge:
        return Knowledge(inputs[:, :2])

    def fingerprint(self) -> str:
        return "scores"


class Hints(Objective):
    """It needs the teacher's features."""

    needs: frozenset[str] = frozenset({"features"})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return outputs.logits.sum()


class OnlyFeatures(Scores):
    """A teacher without logits."""

    provides: ClassVar[frozenset[str]] = frozenset({"features"})


def distilling(*objectives: Any) -> Recipe:
    return {"distill": {"objectives": list(objectives)}}


FINE = {"fine_tune": {}, "start": "alone"}

FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"baseline": "aloen"}, "baseline: There is no row 'aloen'. Did you mean 'alone'?"),
    ({"baseline": "teacher"}, "baseline: There is no row 'teacher'."),
    ({"baseline": "upper_bound"}, "cannot be measured against 'upper_bound', which reads the target's labels"),
    ({"rows": {"upper": "target_only"}}, "cannot be measured against 'upper'"),
    ({"seeds": [1, 1]}, "seeds: The 'seeds' of a recipe must be how many, or a list of different ones. Got [1, 1]."),
    ({"seeds": []}, "a list of different ones. Got []."),
    ({"validator": "entropi"}, "validator: There is no validator 'entropi'. Did you mean 'entropy'?"),
    ({"rows.alone.validator": "x"}, "rows.alone.validator: There is no validator 'x'."),
    ({"teachers.teacher.validator": "x"}, "teachers.teacher.validator: There is no validator 'x'."),
    ({"rows.f": {"fine_tune": {}}}, "rows.f: It goes on from a trained model: name a row above it, or a teacher"),
    ({"rows.f": FINE | {"start": "aloen"}}, "Got 'aloen'. Did you mean 'alone'?"),
    ({"rows.f": FINE | {"start": "f"}}, "The 'start' of a row must be a row above it, or a teacher. Got 'f'."),
    (
        {"rows.f": FINE | {"start": "g"}, "rows.g": FINE | {"start": "f"}},
        "must be a row above it, or a teacher. Got 'g'.",
    ),
    ({"rows.f": FINE | {"start": "teacher", "student": "mlp"}}, "starts from the teacher 'teacher' has its network"),
    ({"rows.f": FINE, "split.labelled": 0}, "rows.f: It learns from labelled target samples: set 'split.labelled'"),
    (
        {"rows.d": distilling("cross_entropy", {"cross_entropy": {}, "on": "labelled"}), "split.labelled": 0},
        "rows.d: It",
    ),
    (
        {"rows.d": distilling({"cross_entropy": {}, "on": "target"})},
        "The 'on' of cross_entropy must be source or labelled",
    ),
    (
        {"rows.d": distilling({"cross_entropy": {}, "on": "both"})},
        "must be source or labelled, which have labels. Got 'both'.",
    ),
    ({"rows.d": distilling("kl") | {"teacher": "techer"}}, "There is no teacher 'techer'. Did you mean 'teacher'?"),
    ({"teachers": {}}, "rows.distilled: This row learns from a teacher, and the recipe has no 'teacher'."),
    ({"rows.teacher": "source_only"}, "rows.teacher: A row and a teacher cannot have the same name."),
    (
        {"teachers.teacher.method": "target_only"},
        "A teacher's own method can have no needs. This one needs: target_labels",
    ),
    ({"teachers.teacher.method": distilling("kl")}, "can have no needs. This one needs: teacher."),
    ({"rows.a/b": "source_only"}, "The name of a row becomes a folder"),
    ({"rows. a": "source_only"}, "The name of a row becomes a folder"),
    ({"teachers": {"..": {"network": {"network": "mlp"}}}}, "The name of a teacher becomes a folder"),
    ({"name": "../up"}, "The name of the run becomes a folder"),
    (
        {"teachers.teacher": Scores, "rows.d": distilling(Hints)},
        "needs the teacher's features, and the teacher gives only",
    ),
    ({"teachers.teacher": OnlyFeatures}, "rows.distilled: This row needs the teacher's logits"),
]


@pytest.mark.parametrize(("changes", "said"), FAULTS, ids=[said[:40] for _, said in FAULTS])
def test_a_fault_between_parts_is_told(recipe: Recipe, changes: dict[str, Any], said: str) -> None:
    recipe["teachers"] = {"teacher": recipe.pop("teacher")}
    for place, value in changes.items():
        put(recipe, place, value)
    with pytest.raises(UsageError) as caught:
        load_plans(recipe)
    assert said in str(caught.value)


RIGHT: list[dict[str, Any]] = [
    {},
    {"rows.f": FINE, "rows.g": {"feature_extract": {}, "start": "f"}},
    {"rows.f": {"fine_tune": {}, "start": "teacher"}},
    {"rows.d": distilling({"cross_entropy": {}, "on": "labelled"})},
    {"rows.mine 2": "source_only", "name": "größe+1", "baseline": "mine 2"},
    {"teachers.teacher": Scores},
    {"teachers.teacher.method": distilling("cross_entropy", {"align": {"distance": "coral"}})},
    {
        "teachers": {},
        "rows": {"alone": "source_only", "a": distilling("cross_entropy", {"align": {"distance": "mmd"}})},
    },
]


@pytest.mark.parametrize("changes", RIGHT, ids=[str(list(changes)) for changes in RIGHT])
def test_what_works_together_is_not_told(recipe: Recipe, changes: dict[str, Any]) -> None:
    recipe["teachers"] = {"teacher": recipe.pop("teacher")}
    for place, value in changes.items():
        put(recipe, place, value)
    assert load_plans(recipe)


def test_a_recipe_to_rank_is_not_one_to_run(recipe: Recipe) -> None:
    recipe["candidates"] = {"near": recipe.pop("source")}
    with pytest.raises(UsageError, match="has 'candidates' in place of a source: it is one for `limbeck rank`"):
        load_plans(recipe)
