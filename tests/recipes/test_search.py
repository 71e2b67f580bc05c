"""A student is found without target labels, the same wherever the search was stopped, and proven in the end."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from small_world import KilledError
from stopped_command import stopped

from limbeck.core import UsageError, files
from limbeck.core.files import read_json
from limbeck.evaluation import DEFAULT_VALIDATOR, check_results
from limbeck.recipes import load_plans, run_recipe, search_recipe
from limbeck.recipes._search_candidates import Candidates
from limbeck.recipes._search_trials import Trials

pytestmark = pytest.mark.extra("search")

Recipe = dict[str, Any]
Search = Callable[..., Path]


@pytest.fixture
def recipe(recipe: Recipe) -> Recipe:
    """The small recipe, whose row `distilled` is searched below what its own student has, 208 bytes."""
    recipe["training"] |= {"epochs": 6, "checkpoint_seconds": 0.02, "compile": False}
    recipe["rows"]["alone"] = {"source_only": {}, "student": {"mlp": {"hidden": []}}}
    return recipe | {"search": {"row": "distilled", "trials": 3, "budget": {"bytes": 207}}}


@pytest.fixture
def search(tmp_path: Path) -> Search:
    def carry_out(content: Any, **more: Any) -> Path:
        return search_recipe(content, runs=tmp_path / "runs", quiet=True, **more)

    return carry_out


def found(folder: Path) -> dict[str, Any]:
    """What a search found, without what differs between two that are equal."""
    content = read_json(folder / "search.json")
    assert content.pop("command") and content.pop("recipe")
    content["comparison"] = [row["target"] for row in content["comparison"]["rows"]]
    return content | {"trials": [{**trial, "seconds": 0} for trial in content["trials"]]}


def test_a_search_finds_compares_and_can_be_gone_on_with(recipe: Recipe, search: Search, tmp_path: Path) -> None:
    recipe["seeds"], recipe["search"]["trials"] = 2, 6
    folder = search(recipe)
    content = read_json(folder / "search.json")
    trials, chosen = content["trials"], content["chosen"]
    assert [trial["number"] for trial in trials] == list(range(6)) and trials[0]["values"] == {
        "student.mlp.hidden": [4],
        "rows.distilled.distill.objectives.1.weight": 1.0,
        "rows.distilled.distill.objectives.1.kl.temperature": 4.0,
    }
    assert len({str(trial["values"]) for trial in trials}) == 6
    assert content["validator"] == DEFAULT_VALIDATOR and content["costs"] == ["bytes"]
    check_results(content["comparison"])
    own, other = content["comparison"]["rows"]
    assert (own["name"], other["name"], len(own["seeds"])) == ("own", "found", 2)
    assert (own["bytes"], other["bytes"]) == (trials[0]["costs"]["bytes"], trials[chosen]["costs"]["bytes"])
    means = {entry["number"]: np.mean(entry["scores"]) for entry in content["finalists"]}
    assert all(len(entry["scores"]) == 2 for entry in content["finalists"]) and next(iter(means)) == 0
    as_good = [number for number, mean in means.items() if number and mean >= means[0]]
    cheapest = min(as_good, key=lambda number: trials[number]["costs"]["bytes"], default=None)
    assert chosen == (cheapest or max(list(means)[1:], key=means.__getitem__))
    openings = [(entry["split"], entry["purpose"]) for entry in content["comparison"]["openings"]]
    assert openings == [("test", "comparison after the search"), ("selection", "regret, after the end")]
    assert 'id="search"' in (folder / "report.html").read_text() and not (folder / "students").exists()

    before = {path: path.stat().st_mtime_ns for path in folder.rglob("weights.safetensors")}
    search(recipe, overrides=["search.trials=7"])  # one more goes on from the six
    again = read_json(folder / "search.json")["trials"]
    assert len(again) == 7 and again[:6] == trials
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())

    (plan,) = load_plans(content["recipe"])
    assert plan.name == "small-found" and list(plan.rows) == list(recipe["rows"])
    assert plan.tree.dump()["student"]["mlp"]["hidden"] == trials[chosen]["values"]["student.mlp.hidden"]
    run_recipe(content["recipe"], runs=tmp_path / "runs", quiet=True, stages=["teacher", "student"])


def test_the_recipes_own_student_is_trained_as_in_a_run(
    recipe: Recipe, search: Search, run: Callable[..., Path]
) -> None:
    recipe["search"]["trials"] = 2
    folder, whole = search(recipe), run(recipe, name="whole", stages=["teacher", "student"])
    mine = folder / "search/trials/0/distilled/0/weights.safetensors"
    assert mine.read_bytes() == (whole / "students/distilled/0/weights.safetensors").read_bytes()
    run(recipe, stages=["teacher", "student", "evaluation"])  # the run goes on in the same folder


@pytest.mark.slow
def test_killed_at_any_write_it_finds_the_same(recipe: Recipe, search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe["seeds"], recipe["search"]["trials"] = 2, 4
    whole = search(recipe, name="whole")
    random, flush, left, kills = np.random.default_rng(0), files._flush, [0], 0

    def killed(path: Path) -> None:
        left[0] -= 1
        if not left[0]:
            raise KilledError
        flush(path)

    monkeypatch.setattr(files, "_flush", killed)
    while True:
        left[0] = int(random.integers(3, 25))
        try:
            folder = search(recipe, name="again")
        except KilledError:
            kills += 1
        else:
            break
    assert kills >= 3  # there are more than 75 such moments
    assert found(folder) == found(whole)
    texts = [(one / "search" / "found.yaml").read_text() for one in (folder, whole)]
    assert texts[0].split("\nsource:")[1].replace("again", "whole") == texts[1].split("\nsource:")[1]


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(recipe: Recipe, search: Search, tmp_path: Path) -> None:
    recipe["training"] |= {"epochs": 100}
    recipe["search"]["prune"] = False
    path, runs = tmp_path / "small.yaml", tmp_path / "runs"
    path.write_text(yaml.safe_dump(recipe))
    mark = runs / "small/search/trials/1/distilled/0/checkpoint.pt"
    code, _ = stopped(path, runs, mark, signal.SIGKILL, "search")
    assert code == -signal.SIGKILL and not (runs / "small/search.json").exists()
    assert found(search(path)) == found(search(path, name="whole"))


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({"bytes": 1}, "No student of the search's space is within the budget of 1 bytes. Of 12 students, the least:"),
        ({"multiply_adds": 1, "latency": 1e-9}, "within the budget of 1 multiply-adds and 1e-09 milliseconds."),
    ],
)
def test_a_budget_that_nothing_meets_is_told_before_any_training(
    recipe: Recipe, search: Search, tmp_path: Path, budget: dict[str, float], said: str
) -> None:
    recipe["search"]["budget"] = budget
    recipe["search"]["space"] = {"student.mlp.hidden": {"low": 3, "high": 5, "length": [1, 2]}}
    with pytest.raises(UsageError) as caught:
        search(recipe)
    assert said in str(caught.value) and "Raise 'search.budget', or widen 'search.space'." in str(caught.value)
    if budget == {"bytes": 1}:  # 3 hidden units of 6 inputs, with BatchNorm's weights and statistics, and 2 classes
        smallest = 4 * (6 * 3 + 4 * 3 + 3 * 2 + 2) + 8
        assert f"the least: {smallest} bytes." in str(caught.value)
    folder = tmp_path / "runs" / "small"
    assert not any((folder / name).exists() for name in ("teachers", "search", "openings.jsonl"))


def test_every_student_is_within_the_budget(recipe: Recipe, search: Search) -> None:
    recipe["search"] |= {"budget": {"bytes": 200, "multiply_adds": 30}, "choose": "best"}
    content = read_json(search(recipe) / "search.json")
    assert content["costs"] == ["bytes", "multiply_adds"]
    own, *others = content["trials"]
    assert own["costs"]["bytes"] > 200 and content["chosen"] not in (None, 0)
    assert all(trial["costs"]["bytes"] <= 200 and trial["costs"]["multiply_adds"] <= 30 for trial in others)


def test_a_small_space_is_tried_once(recipe: Recipe, search: Search) -> None:
    recipe["search"] |= {"space": {"student.mlp.hidden": [[2], [4], [5]], "training.epochs": [6]}, "trials": 30}
    del recipe["search"]["budget"]
    trials = read_json(search(recipe) / "search.json")["trials"]
    assert sorted(trial["values"]["student.mlp.hidden"][0] for trial in trials) == [2, 4, 5]


def test_what_cannot_be_built_is_left_out(recipe: Recipe, search: Search) -> None:
    recipe["search"] |= {"space": {"student.mlp.hidden": [[4], [0], [3]], "training.batch_size": [16, 4000]}}
    trials = read_json(search(recipe) / "search.json")["trials"]
    assert sorted(trial["values"]["student.mlp.hidden"][0] for trial in trials) == [3, 4]
    recipe["search"]["space"] = {"student.mlp.hidden": [[0]]}
    with pytest.raises(UsageError, match=r"No student of the search's space can be built: (?s:.*)'hidden'"):
        search(recipe, name="none")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"row": "distiled"}, "search.row: There is no row 'distiled'. Did you mean 'distilled'?"),
        ({"row": "upper_bound"}, "reads all labels of the target, which a search may not see"),
        ({"space": {"student.cnn.hidden": [1]}}, "The recipe has no 'student.cnn.hidden'"),
        ({"validator": "accuracy"}, "There is no validator 'accuracy'."),
        ({"trials": 1}, "The 'trials' of search must be > 1. Got 1."),
    ],
)
def test_mistakes_are_told(recipe: Recipe, search: Search, change: Recipe, said: str) -> None:
    recipe["search"] |= change
    with pytest.raises(UsageError) as caught:
        search(recipe)
    assert said in str(caught.value)


@pytest.mark.slow
def test_another_search_needs_another_folder(recipe: Recipe, search: Search) -> None:
    recipe["search"] |= {"trials": 2, "space": {"student.mlp.hidden": [[4], [3]]}}
    search(recipe)
    other = copy.deepcopy(recipe)
    other["search"]["space"] = {"student.mlp.hidden": [[4], [2]]}
    with pytest.raises(UsageError, match=r"holds a search with another space\. Remove that folder"):
        search(other)
    folder = search(other, fresh=True)
    assert read_json(folder / "search.json")["trials"][1]["values"] == {"student.mlp.hidden": [2]}


def test_suggestions_follow_from_the_seed_and_the_finished_trials(recipe: Recipe, tmp_path: Path) -> None:
    from limbeck.recipes._console import Console
    from limbeck.recipes._run import begun

    context = begun(load_plans(recipe)[0], tmp_path / "run", False, Console(quiet=True))
    candidates = Candidates(context)
    drawn = [[Trials(candidates).drawn(number) for number in range(4)] for _ in range(2)]
    assert drawn[0] == drawn[1] and len({str(values) for values in drawn[0]}) == 4
