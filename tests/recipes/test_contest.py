"""What a recipe leaves open is chosen without target labels, once a run, and explained."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from limbeck.core import RunError, Task, UsageError
from limbeck.core.files import read_json
from limbeck.evaluation import BETWEEN_METHODS, check_results
from limbeck.methods import Evidence, Method
from limbeck.recipes import _contest, load_plans, load_student, predict_file
from limbeck.recipes._plan import read_row
from limbeck.recipes._rooms import parts_of

Recipe = dict[str, Any]
Run = Callable[..., Path]


@pytest.fixture
def apart(recipe: Recipe, tables: tuple[Path, Path]) -> Recipe:
    """The small recipe without rows; its target lies far from its source."""
    frame = pd.read_csv(tables[1])
    frame.assign(dose=frame["dose"] + 3).to_csv(tables[1], index=False)
    del recipe["rows"]
    recipe["gap"]["settings"]["permutations"] = 99
    return recipe


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, float]], None]:
    """Let the validators give these scores, 0 to the others, in place of what they see."""

    def give(scores: dict[str, float]) -> None:
        monkeypatch.setattr(
            _contest._Contest, "_scores", lambda self, name: dict.fromkeys(BETWEEN_METHODS, scores.get(name, 0.0))
        )

    return give


def candidates(folder: Path) -> list[str]:
    return [found["name"] for found in choice(folder)["candidates"]]


def choice(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["auto"]


def test_a_recipe_without_rows_is_chosen_for_and_explained(
    apart: Recipe, run: Run, tables: Any, scored: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    offered = [
        *("alone", "coral_map", "jda", "kliep"),
        "distill",
        "distill_align",
        "distill_information_max",
        "mean_teacher",
        "distill_from_adapted",
        "distill_align_from_adapted",
    ]
    scored({"distill_align": 1.0})
    folder = run(apart)
    assert sorted(candidates(folder)) == sorted(offered) and candidates(folder)[0] == "distill_align"
    results = read_json(folder / "results.json")
    check_results(results)
    assert [(row["name"], row["title"]) for row in results["rows"]][1:] == [
        ("alone", "alone"),
        ("auto", "auto: distill_align"),
    ]
    why = results["choice"]["why"]
    assert why.startswith(
        "Chosen: distill_align. near and far differ beyond chance; there are 40 and 35 training samples"
    )
    assert "2 labelled target samples a class, a teacher that gives features and logits." in why
    assert re.search(r"with one seed, \d+ seconds in all, and scored", why)
    assert why in (folder / "report.html").read_text().replace("&#39;", "'")
    assert results["openings"] and {entry["split"] for entry in results["openings"]} == {"test", "selection"}

    def never(*args: Any, **more: Any) -> Any:
        raise AssertionError("This was done before.")

    monkeypatch.setattr(_contest, "train_student", never)
    assert run(apart) == folder
    (plan,) = load_plans(folder)
    assert plan.rows["auto"].name is None and list(plan.rows) == ["alone", "auto"]
    student = load_student(folder, "auto")
    expected = np.load(folder / "students/auto/0/predictions.npz")["target_logits"]
    assert student.network.network.state_dict() and len(expected) == 21
    assert len(predict_file(folder, tables[1], "auto")) == 70


def test_a_teacher_is_adapted_by_what_adapts_the_student_best(
    apart: Recipe, run: Run, tables: tuple[Path, Path], scored: Any
) -> None:
    scored({"distill_from_adapted": 2.0, "distill_information_max": 1.0})
    apart["seeds"] = 2
    folder = run(apart)
    found, results = choice(folder), read_json(folder / "results.json")
    assert found["winner"] == "distill_from_adapted" and found["row"]["teacher"] == "teacher_adapted"
    objectives = [
        "cross_entropy",
        {"cross_entropy": {}, "on": "labelled"},
        {"information_max": {}, "weight": 0.3},
    ]
    assert results["choice"]["adapted"]["method"] == {"distill": {"objectives": objectives}}
    assert found["why"].startswith("Chosen: distill_from_adapted. Its teacher was adapted first, by distill_info")
    titles = {row["name"]: (row["title"], row["seeds"]) for row in results["rows"]}
    assert titles["teacher_adapted"][0] == "teacher, adapted" and len(titles["teacher_adapted"][1]) == 2
    assert list(yaml.safe_load((folder / "recipe.yaml").read_text())["teachers"]) == ["teacher"]
    said = (folder / "students/auto/1/predictions.npz").read_bytes()
    for lost in ("results.json", "teachers/teacher_adapted/1", "students/auto/1"):  # as if it had been stopped there
        path = folder / lost
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run(apart) == folder and (folder / "teachers/teacher_adapted/1/done.json").exists()
    again = np.load(folder / "students/auto/1/predictions.npz")["target_logits"]
    assert again.tobytes() == np.load(BytesIO(said))["target_logits"].tobytes()
    assert len(predict_file(folder, tables[1], "auto")) == 70


def test_a_teacher_with_a_method_of_its_own_is_left_as_it_is(apart: Recipe, run: Run) -> None:
    apart["teacher"]["method"] = "source_only"
    folder = run(apart, stages=["teacher", "gap", "contest"])
    assert len(candidates(folder)) == 8 and not (folder / "teachers" / "teacher_adapted").exists()


def test_the_contest_reads_no_label_of_the_target(apart: Recipe, run: Run) -> None:
    folder = run(apart, stages=["teacher", "gap", "contest"])
    assert not (folder / "openings.jsonl").exists()
    assert len(candidates(folder)) == 10 and choice(folder)["by"] == list(BETWEEN_METHODS)


def test_where_the_baseline_is_best_nothing_is_adapted(apart: Recipe, run: Run, scored: Any) -> None:
    scored({"alone": 1.0})
    folder = run(apart)
    results = read_json(folder / "results.json")
    assert [row["name"] for row in results["rows"]] == ["teacher", "alone"]
    assert results["choice"]["why"].startswith("Chosen: none. The baseline, alone, is the best of them: do not adapt.")
    assert run(apart) == folder and list(load_plans(folder)[0].rows) == ["alone"]


def test_without_a_gap_only_plain_distillation_takes_part(recipe: Recipe, run: Run) -> None:
    recipe["target"] = {"csv": {**recipe["source"]["csv"], "name": "again"}}
    recipe["rows"] = {"mine": "source_only", "auto": "auto"}
    folder = run(recipe, stages=["teacher", "gap", "contest"])
    found = choice(folder)
    assert set(candidates(folder)) == {"mine", "distill"} and found["by"] == ["source_validation"]
    assert "near and again do not differ beyond chance" in found["why"]
    assert ("plain distillation is enough" in found["why"]) == (found["winner"] == "distill")
    assert ("mine is enough" in found["why"]) == (found["winner"] == "mine")


def test_without_a_gap_and_a_teacher_there_is_nothing_to_choose(recipe: Recipe, run: Run) -> None:
    recipe["target"] = {"csv": {**recipe["source"]["csv"], "name": "again"}}
    del recipe["teacher"], recipe["rows"]
    folder = run(recipe)
    assert choice(folder)["why"].startswith("There is nothing to choose from, so alone stands alone.")
    assert [row["name"] for row in read_json(folder / "results.json")["rows"]] == ["alone"]


def test_a_spent_budget_leaves_candidates_out(apart: Recipe, run: Run) -> None:
    folder = run(apart | {"auto": {"budget": 1e-9}}, stages=["teacher", "gap", "contest"])
    found = choice(folder)
    assert found["epochs"] == 1 and found["row"] is None and not found["candidates"]
    assert "jda (the budget of 1e-09 minutes was spent)" in found["why"]
    assert "teacher_adapted (adapting the teacher takes about 0." in found["why"]


def test_a_candidate_that_fails_does_not_stop_the_others(
    apart: Recipe, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = _contest.train_student

    def failing(context: Any, name: str, *rest: Any) -> Any:
        if name == "mean_teacher":
            raise RunError("The loss of mean_teacher became nan in epoch 1.")
        return train(context, name, *rest)

    monkeypatch.setattr(_contest, "train_student", failing)
    folder = run(apart, stages=["teacher", "gap", "contest"])
    assert len(candidates(folder)) == 9
    assert "Left out: mean_teacher (The loss of mean_teacher became nan in epoch 1)." in choice(folder)["why"]


def test_what_does_not_suit_is_left_out_with_the_reason(apart: Recipe, run: Run) -> None:
    """A student that is augmented and taught needs stored views, which this recipe has none of."""
    apart["augmentation"] = ["noise"]
    folder = run(apart, stages=["teacher", "gap", "contest"])
    assert set(candidates(folder)) == {"alone", "coral_map", "jda", "kliep"}
    assert "set 'knowledge.views'" in choice(folder)["left_out"]["distill"]


def test_values_are_chosen_for_on_the_source(apart: Recipe, run: Run) -> None:
    for role in ("source", "target"):
        apart[role]["csv"] |= {"label": "age", "task": "regression", "drop": ["sick"]}
    folder = run(apart, stages=["teacher", "gap", "contest"])
    taught = {f"{name}{by}" for name in ("distill", "distill_align") for by in ("", "_from_adapted")}
    assert set(candidates(folder)) == {"alone", "coral_map", "kliep", *taught}
    assert choice(folder)["by"] == ["source_validation"] and " a class" not in choice(folder)["why"]


def test_without_the_source_only_what_reads_none_of_it_takes_part(apart: Recipe, run: Run) -> None:
    apart |= {"auto": {"source_free": True}, "split": {}}
    folder = run(apart)
    assert set(candidates(folder)) == {"alone", "shot", "dine"}
    copied = "has its network, not the recipe's student" in choice(folder)["why"]
    assert copied == (choice(folder)["winner"] == "shot")
    for found in choice(folder)["candidates"]:
        assert np.isfinite([*found["scores"].values()]).all()
        assert not {"reverse_validation", "source_validation"} & found["scores"].keys()
    check_results(read_json(folder / "results.json"))
    assert load_plans(folder)[0].rows["alone"].make().method.source_free


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (["contest"], "The gap is not measured yet, which the contest looks at: run the stage gap first."),
        (["gap", "contest"], "The teacher 'teacher' is not trained yet: run the stage teacher first."),
        (["teacher", "student"], "The method of row 'auto' is not chosen yet: run the stage contest first."),
    ],
)
def test_a_contest_before_its_time_is_told(apart: Recipe, run: Run, stages: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(apart, stages=stages)
    assert said in str(caught.value)


EVIDENCE = Evidence(
    "table", Task("classification", ("a", "b")), (4,), 90, 80, 0, True, "t", frozenset({"logits"}), True
)
CASES = {
    "nothing": replace(EVIDENCE, apart=False, teacher=None, provides=frozenset()),
    "table": EVIDENCE,
    "wide": replace(EVIDENCE, shape=(4000,), kind="vectors"),
    "images": replace(EVIDENCE, kind="images", shape=(1, 8, 8), labelled=3),
    "text": replace(EVIDENCE, kind="text", shape=(50,), teacher=None, provides=frozenset()),
    "values": replace(EVIDENCE, task=Task("regression")),
    "source-free": replace(EVIDENCE, source_free=True),
}


@pytest.mark.parametrize("case", CASES)
def test_candidates_are_rows_named_after_their_method(case: str) -> None:
    for method, kind in parts_of(Method).items():
        for name, row in kind.candidates(CASES[case]).items():
            assert name.startswith(method)
            made = read_row(name, row).make().method
            assert isinstance(made, kind)
            if CASES[case].source_free:
                assert made.source_free
            if CASES[case].teacher is None:
                assert "teacher" not in made.requires()
            assert ("labelled" in made.reads()) <= (CASES[case].labelled > 0)


def test_what_takes_part_follows_from_the_evidence() -> None:
    def names(case: str) -> set[str]:
        return {name for kind in parts_of(Method).values() for name in kind.candidates(CASES[case])}

    assert names("nothing") == set()
    assert {"coral_map", "jda", "kliep", "distill", "mean_teacher"} <= names("table")
    assert not {"coral_map", "jda", "kliep"} & (names("wide") | names("images"))
    assert {"msda", "distill_align"} <= names("text") and "distill" not in names("text")
    assert names("values") == {"coral_map", "kliep", "distill", "distill_align"}
    assert names("source-free") == {"shot", "dine"}
