"""Two domains made ready: what is refused, what is fitted on what, what is written down."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import SealedLabelsError, UsageError
from limbeck.data import Raw, SplitSettings, prepare, restore_preprocessing
from limbeck.data._images import ImagePreprocessing
from limbeck.data._tables import TablePreprocessing
from limbeck.data._vectors import VectorPreprocessing


def vectors(name: str = "lab", rows: int = 100, shift: float = 0.0) -> Raw:
    random = np.random.default_rng(len(name))
    inputs = random.normal(size=(rows, 3)) + shift
    return Raw(name, inputs, np.array(["no", "yes"], dtype=object)[np.arange(rows) % 2], "classification")


def values(name: str = "lab", rows: int = 100) -> Raw:
    inputs = np.random.default_rng(0).normal(size=(rows, 3))
    return Raw(name, inputs, 100 + 5 * inputs[:, 0], "regression")


def run(source: Raw, target: Raw, **settings):
    return prepare(source, target, VectorPreprocessing(), SplitSettings(**settings))


def test_domains_have_the_promised_splits_labels_and_raw_rows() -> None:
    source, target, fitted, task = run(vectors(), vectors("field", shift=1), labelled=3)
    assert task.classes == ("no", "yes")
    assert {name: len(rows) for name, rows in target.splits.items()} == {
        "labelled": 6,
        "train": 44,
        "selection": 20,
        "test": 30,
    }
    assert sorted(np.concatenate(list(target.splits.values()))) == list(range(100))
    assert target.open("labelled", "test").bincount().tolist() == [3, 3]
    assert (source.open("test", "test").numpy() == source.splits["test"] % 2).all()
    assert len(source.raw) == len(source) == 100
    assert torch.equal(fitted.transform(source.raw), source.inputs)
    with pytest.raises(SealedLabelsError):
        target.view().labels("train")


def test_source_train_rows_are_standardised_and_nothing_else_counts() -> None:
    source, target = vectors(), vectors("field")
    first, _, fitted, _ = run(source, target)
    assert torch.allclose(first.split_inputs("train").mean(0), torch.zeros(3), atol=1e-6)
    assert torch.allclose(first.split_inputs("train").std(0, correction=0), torch.ones(3), atol=1e-6)
    changed = source.inputs.copy()
    for split in ("selection", "test"):
        changed[first.splits[split]] += 100
    for other in (run(replace(source, inputs=changed), target), run(source, vectors("far", 60, 50))):
        assert other[2].state() == fitted.state()


def test_table_fit_ignores_other_splits_even_where_their_types_differ() -> None:
    frame = pd.DataFrame({"a": np.arange(40.0), "b": list("xy") * 20})
    raw = Raw("ward", frame, np.array(list("no") * 20, dtype=object), "classification")
    source, _, fitted, _ = prepare(raw, raw, TablePreprocessing(), SplitSettings())
    changed = frame.astype({"a": object})
    changed.loc[source.splits["test"], "b"] = "z"
    changed.loc[source.splits["test"], "a"] = 1e6
    again = prepare(replace(raw, inputs=changed), raw, TablePreprocessing(), SplitSettings())
    assert again[2].state() == fitted.state()


def test_regression_is_scaled_by_the_source_train_labels() -> None:
    raw = values()
    source, target, _, task = run(raw, raw, labelled=5)
    train = raw.labels[source.splits["train"]].astype(np.float32)
    assert task.offset == pytest.approx(train.mean(), rel=1e-6)
    assert task.scale == pytest.approx(train.std(), rel=1e-6)
    assert source.view().labels("train").std(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert len(target.splits["labelled"]) == 5
    with pytest.raises(UsageError, match="nothing to predict"):
        run(replace(raw, labels=np.ones(100)), raw)


def test_missing_labels_leave_the_source_and_train_in_the_target() -> None:
    source, target = vectors(), vectors("field")
    source.labels[:4] = None
    target.labels[[1, 2]] = None
    made, other, _, _ = run(source, target)
    assert len(made) == 96 and made.notes == ("4 rows without a label are not used.",)
    assert {1, 2} <= set(other.splits["train"])
    assert other.notes == ("2 rows without a label train unlabelled.",)


def test_unlabelled_rows_of_held_out_groups_are_left_out() -> None:
    target = replace(vectors("field"), groups=np.arange(100) // 10)
    target.labels[::10] = None
    _, made, _, _ = run(vectors(), target)
    used = np.concatenate(list(made.splits.values()))
    assert len(used) < 100 and len(np.unique(used)) == len(used)
    assert any("are not used" in note for note in made.notes)


@pytest.mark.parametrize("labels", [None, np.full(100, None)])
def test_a_target_without_labels_is_allowed(labels: np.ndarray | None) -> None:
    _, target, _, _ = run(vectors(), replace(vectors("field"), labels=labels))
    assert not target.labelled
    assert [len(target.splits[name]) for name in ("train", "selection", "test")] == [50, 20, 30]
    with pytest.raises(UsageError, match="must be 0, since field has no labels"):
        run(vectors(), replace(vectors("field"), labels=labels), labelled=1)


def test_matched_columns_are_scaled_by_the_rows_that_train_of_their_own_domain() -> None:
    far = replace(vectors("field"), inputs=1000 + 30 * vectors("field").inputs)
    plain, matched = (
        prepare(vectors(), far, VectorPreprocessing(), SplitSettings(labelled=2), match=match)
        for match in ("none", "columns")
    )
    assert plain[0].inputs.equal(matched[0].inputs)  # the source is as it was
    assert plain[1].inputs.mean() > 50
    rows = np.concatenate([matched[1].splits["labelled"], matched[1].splits["train"]])
    assert torch.allclose(matched[1].inputs[rows].mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(matched[1].inputs[rows].std(0, correction=0), torch.ones(3), atol=1e-5)
    assert torch.equal(matched[2].transform(far.inputs), matched[1].inputs)  # which later predictions go by
    assert any("own mean and deviation" in note for note in matched[1].notes)
    pixels = replace(vectors(), inputs=np.zeros((100, 1, 4, 4)))
    unfit = (
        (ImagePreprocessing(), "columns", "is for the numbers of tables and vectors"),
        (VectorPreprocessing(False), "columns", "is columns.*scaled"),
        (VectorPreprocessing(), "units", "is units, which is for tables"),
    )
    for kind, match, sentence in unfit:
        with pytest.raises(UsageError, match=f"The 'match' of the recipe {sentence}"):
            raw = pixels if isinstance(kind, ImagePreprocessing) else vectors()
            prepare(raw, raw, kind, SplitSettings(), match=match)


def test_units_are_matched_where_a_column_has_another_and_nowhere_else() -> None:
    """A column in another unit is as if it had ours; one that is shifted for a reason stays shifted."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"weight": random.normal(70, 12, 200), "age": random.normal(40, 10, 200)})
    labels = np.array(["a", "b"] * 100, dtype=object)
    near = Raw("clinic", frame, labels, "classification")
    far = replace(near, name="field", inputs=frame.assign(weight=1000 * frame["weight"], age=frame["age"] + 10))
    source, target, fitted, _ = prepare(near, far, TablePreprocessing(), SplitSettings(), match="units")
    assert torch.allclose(target.inputs[:, 0], source.inputs[:, 0], atol=0.5)
    assert abs(float((target.inputs[:, 1] - source.inputs[:, 1]).mean()) - 1) < 0.1  # ten years, in deviations
    assert torch.equal(fitted.transform(far.inputs), target.inputs)
    assert "By its own mean and deviation it scales 'weight'." in target.notes
    alike = prepare(near, replace(near, name="other"), TablePreprocessing(), SplitSettings(), match="units")[1]
    assert any("no column lies on another scale" in note for note in alike.notes)


def test_what_cannot_be_used_is_said() -> None:
    good = vectors()
    empty = replace(good, inputs=good.inputs[:0], labels=good.labels[:0])
    bad = good.inputs.copy()
    bad[[3, 7], 1] = [np.nan, np.inf]
    cases = {
        "source lab is empty": (empty, good),
        "target lab is empty": (good, empty),
        "source lab has no labels": (replace(good, labels=None), good),
        "Set the 'task' of both": (good, values("field")),
        "lab: 2 of 100 rows hold NaN or infinity, the first is row 3": (good, replace(good, inputs=bad)),
        "100 inputs and 3 groups": (replace(good, groups=np.arange(3)), good),
        "here are 2": (good, replace(good, inputs=good.inputs[:, :2])),
        "infinite": (replace(values(), labels=np.r_[np.inf, np.ones(99)]), values()),
    }
    for sentence, (source, target) in cases.items():
        with pytest.raises(UsageError, match=sentence):
            run(source, target)


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (np.random.default_rng(0).normal(size=(20, 3)), VectorPreprocessing),
        (np.random.default_rng(0).integers(0, 256, (20, 3, 5, 5)).astype(np.uint8), ImagePreprocessing),
        (pd.DataFrame({"a": np.random.default_rng(0).normal(size=20), "b": list("xyzw?") * 4}), TablePreprocessing),
    ],
)
def test_a_preprocessing_comes_back_from_json_to_the_bit(inputs, kind) -> None:
    fitted = kind().fit(inputs)
    restored = restore_preprocessing(json.loads(json.dumps(fitted.state(), allow_nan=False)))
    assert type(restored) is kind
    assert restored.state() == fitted.state()
    assert torch.equal(restored.transform(inputs), fitted.transform(inputs))


def test_a_foreign_preprocessing_must_be_one() -> None:
    path = "limbeck.data._vectors:VectorPreprocessing"
    state = {**VectorPreprocessing().fit(np.eye(3)).state(), "kind": path}
    assert isinstance(restore_preprocessing(state), VectorPreprocessing)
    for kind, sentence in (("os:getcwd", "not derived"), ("nowhere:X", "cannot be imported"), ("scroll", "imported")):
        with pytest.raises(UsageError, match=sentence):
            restore_preprocessing({"kind": kind})
