"""Several sources, of which one is far from the target: its samples hardly train, and its teacher is hardly heard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.core import Domain, UsageError
from limbeck.core.files import read_json
from limbeck.recipes import load_plans
from limbeck.recipes._console import Console
from limbeck.recipes._context import Context, open_context
from limbeck.recipes._teachers import ready_teacher

Recipe = dict[str, Any]
Run = Callable[..., Path]


def write(path: Path, seed: int, centre: float, turned: bool, rows: int = 120) -> Path:
    """Two classes along the first feature; where it is turned, the other way round. The second tells the source."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    first = random.normal(size=rows) + 3.0 * (1 - 2 * y if turned else 2 * y - 1)
    second = random.normal(centre, 1.0, rows)
    labels = np.where(y == 1, "yes", "no")
    pd.DataFrame({"first": first, "second": second, "label": labels}).to_csv(path, index=False)
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Recipe:
    """Two sources, of which the larger one is far away and says the opposite."""
    good, bad = write(tmp_path / "good.csv", 0, 0.0, False), write(tmp_path / "bad.csv", 1, 9.0, True, rows=240)
    target = write(tmp_path / "target.csv", 2, 0.0, False)
    parts = [{"csv": {"path": str(path), "label": "label"}} for path in (good, bad)]
    return {
        "name": "two",
        "source": {"several": {"parts": parts}},
        "target": {"csv": {"path": str(target), "label": "label"}},
        "student": {"mlp": {"hidden": []}},
        "rows": {"alone": "source_only", "shallow": {"coral_map": {"standardise": "source"}}},
        "training": {"epochs": 20, "batch_size": 16, "learning_rate": 0.05, "precision": "fp32", "compile": False},
        "gap": {"distances": ["coral"], "settings": {"permutations": 19, "resamples": 20, "repeats": 20}},
        "seeds": 1,
    }


def opened(recipe: Recipe, folder: Path) -> Context:
    (plan,) = load_plans(recipe)
    return open_context(plan, folder, Console(quiet=True))


@pytest.mark.parametrize("by", ["domain", "sample"])
def test_a_far_source_gets_nearly_nothing(sources: Recipe, tmp_path: Path, by: str) -> None:
    source = opened(sources | {"weighting": by}, tmp_path).source
    train = source.splits["train"]
    assert source.weights is not None and source.origins is not None
    weights, bad = source.weights[train].numpy(), source.origins[train] == "bad"
    assert np.isclose(weights.mean(), 1) and weights[bad].sum() < 0.05 * weights.sum()
    assert (by == "domain") == bool(source.shares)
    assert source.view().weights is source.weights
    assert f"Weighted by {by}, by how much it is like the target. A pass has so much of each: good" in source.notes[-1]


def test_without_weights_all_count_alike(sources: Recipe, tmp_path: Path) -> None:
    source = opened(sources, tmp_path).source
    assert source.weights is None and not source.shares and source.sources == ["good", "bad"]


@pytest.mark.parametrize("by", ["domain", "sample"])
def test_weights_do_not_read_the_targets_labels(
    sources: Recipe, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sealed(self: Domain, *args: Any) -> None:
        raise AssertionError(f"labels of {self.name} were read")

    monkeypatch.setattr(Domain, "open", sealed)
    assert opened(sources | {"weighting": by}, tmp_path).source.weights is not None


@pytest.mark.slow
def test_weighted_students_beat_the_pooled_ones(sources: Recipe, run: Run) -> None:
    accuracy = {}
    for by in ("equal", "domain", "sample"):
        folder = run(sources | {"weighting": by}, name=by)
        accuracy[by] = {
            row["name"]: row["target"]["accuracy"]["mean"] for row in read_json(folder / "results.json")["rows"]
        }
        assert ("A pass has so much of each" in (folder / "report.html").read_text()) == (by != "equal")
    for row in ("alone", "shallow"):
        assert min(accuracy["domain"][row], accuracy["sample"][row]) > 0.9 > accuracy["equal"][row] + 0.2


def member(name: str) -> Recipe:
    return {"network": {"network": {"mlp": {"hidden": [4]}}}, "source": name}


@pytest.mark.slow
def test_a_teacher_of_each_source_and_their_ensemble(sources: Recipe, run: Run) -> None:
    sources["teachers"] = {
        "together": {"ensemble": {"members": ["of_good", "of_bad"], "weights": "gap"}},
        "of_good": member("good"),
        "of_bad": member("bad"),
    }
    sources["rows"] = {"alone": "source_only", "taught": {"distill": {"objectives": ["kl"]}}}
    folder = run(sources)
    rows = {row["name"]: row for row in read_json(folder / "results.json")["rows"]}
    accuracy = {name: row["target"]["accuracy"]["mean"] for name, row in rows.items()}
    assert accuracy["of_good"] > 0.9 and accuracy["of_bad"] < 0.1
    assert accuracy["together"] == accuracy["of_good"] and accuracy["taught"] > 0.9 > accuracy["alone"] + 0.2
    assert rows["together"]["parameters"] is None and rows["taught"]["reads"]["teacher"] == "together"

    context = opened(sources, folder)
    together, good, bad = (ready_teacher(context, name, 0) for name in ("together", "of_good", "of_bad"))
    inputs, shares = context.target.inputs[:9], context.source.shares
    mixture = sum(
        shares[name] * teacher.label(inputs).scores().softmax(1) for name, teacher in (("good", good), ("bad", bad))
    )
    assert np.allclose(together.label(inputs).scores().softmax(1), mixture, atol=1e-6)
    assert shares["bad"] < 0.01 and read_json(folder / "domains.json")["source"]["shares"] == shares
    assert run(sources) == folder


def test_a_member_learns_from_its_own_source_alone(sources: Recipe, tmp_path: Path) -> None:
    source = opened(sources, tmp_path).source
    part = source.of("bad")
    assert source.of(None) is source and part.name == "bad"
    assert source.origins is not None
    for split, rows in part.splits.items():
        assert set(source.origins[rows]) == {"bad"} and set(rows) <= set(source.splits[split])
        assert (
            part.view().labels(split).equal(source.open(split, "test")[source.origins[source.splits[split]] == "bad"])
        )


ENSEMBLE = {"e": {"ensemble": {"members": ["a"], "weights": "gap"}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"teachers": {**ENSEMBLE, "a": member("god")}},
            "one of several sources. Got 'god'. Did you mean 'good'?",
        ),
        ({"teachers": {**ENSEMBLE, "a": {**member("good"), "source": None}}}, "need the 'source' of each member"),
        ({"teachers": {"e": {"ensemble": {"members": ["b"]}}, "a": member("good")}}, "There is no teacher 'b'"),
        ({"teachers": {**ENSEMBLE, "a": {"ensemble": {"members": ["e"]}}}}, "The teacher 'a' consults others itself"),
        ({"weighting": "domian"}, "The 'weighting' of the recipe must be"),
    ],
)
def test_what_does_not_fit_is_told(sources: Recipe, run: Run, changes: Recipe, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(sources | changes)
    assert said in str(caught.value)


@pytest.mark.parametrize("changes", [{"weighting": "domain"}, {"teachers": {**ENSEMBLE, "a": member("good")}}])
def test_a_single_source_has_no_shares(sources: Recipe, run: Run, changes: Recipe) -> None:
    sources["source"] = sources["source"]["several"]["parts"][0]
    with pytest.raises(UsageError, match="and good is one: read them by several"):
        run(sources | changes)
