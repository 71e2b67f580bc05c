"""A teacher of scikit-learn says what its estimator says, of our classes in our order and in our unit."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from small_skops import stand_in
from small_world import CLASSES, VALUES, WIDTH, World

from limbeck.core import Domain, DomainView, Task, UsageError
from limbeck.teachers.sklearn import LEAST, SklearnTeacher

SETTINGS = {"n_estimators": 5}
RAW = pd.DataFrame({"age": [30.0, 40, 50, 60, 70, 80], "ward": list("ababab")})
ILL = Task("classification", ("no", "yes"))


def source(task: Task = CLASSES) -> DomainView:
    return World(task).views()["source"]


def fitted(teacher: SklearnTeacher, task: Task = CLASSES, seed: int = 0) -> SklearnTeacher:
    teacher.build((WIDTH,), task, [])
    teacher.fit(source(task), seed)
    return teacher


def domain(raw: Any, task: Task = ILL, role: Any = "target") -> Domain:
    splits = {"labelled": np.arange(0), "train": np.arange(2), "selection": np.arange(2, 4), "test": np.arange(4, 6)}
    splits = splits if role == "target" else {name: rows for name, rows in splits.items() if name != "labelled"}
    return Domain("clinic", role, torch.zeros(6, 1), None, task, splits, raw=raw)


@pytest.fixture(autouse=True)
def _skops(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)


def kept(folder: Path, model: Any) -> Path:
    path = folder / "model.skops"
    importlib.import_module("skops.io").dump(model, path)
    return path


def loaded(path: Path, task: Task = ILL, classes: list[str] | None = None) -> SklearnTeacher:
    teacher = SklearnTeacher(path=path, classes=classes)
    teacher.build((1,), task, [])
    return teacher


def test_its_logits_are_the_logarithms_of_the_estimators_probabilities() -> None:
    view = source()
    teacher = fitted(SklearnTeacher("extra_trees", SETTINGS | {"random_state": 3}))
    rows, labels = view.training()
    own = ExtraTreesClassifier(5, random_state=3).fit(view.inputs[rows].numpy(), labels.numpy())
    said = teacher.label(view.inputs).scores()
    assert np.allclose(said.exp().numpy(), own.predict_proba(view.inputs.numpy()).clip(LEAST), atol=1e-6)
    assert said.isfinite().all() and said.dtype == torch.float32


def test_values_are_in_the_unit_of_the_network() -> None:
    view = source(VALUES)
    rows, labels = view.training()
    own = LinearRegression().fit(view.inputs[rows].numpy(), labels.numpy())
    teacher = fitted(SklearnTeacher("LinearRegression"), VALUES)
    said = teacher.label(view.inputs).scores()
    assert said.shape == (60, 1) and np.allclose(said[:, 0].numpy(), own.predict(view.inputs.numpy()), atol=1e-5)


def test_the_seed_decides_and_the_same_seed_says_the_same() -> None:
    first, again, other = (fitted(SklearnTeacher(settings=SETTINGS), seed=seed) for seed in (5, 5, 6))
    inputs = source().inputs
    assert first.label(inputs).scores().equal(again.label(inputs).scores())
    assert not first.label(inputs).scores().equal(other.label(inputs).scores())
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()


def test_its_fingerprint_changes_with_settings_and_with_what_it_saw() -> None:
    teachers = [
        fitted(SklearnTeacher(settings=SETTINGS)),
        fitted(SklearnTeacher("extra_trees", SETTINGS)),
        fitted(SklearnTeacher(settings=SETTINGS | {"max_depth": 2})),
        fitted(SklearnTeacher(settings=SETTINGS, calibration="sigmoid")),
    ]
    moved = SklearnTeacher(settings=SETTINGS)
    moved.build((WIDTH,), CLASSES, [])
    view = source()
    moved.fit(DomainView("near", view.inputs + 1e-3, view.splits, view.opened), 0)
    assert len({teacher.fingerprint() for teacher in (*teachers, moved)}) == 5


def test_calibration_reads_the_selection_split_alone() -> None:
    """Labels that are pure chance there: what it then says of any sample is near the shares."""
    view = source()
    chance = view.opened | {"selection": torch.arange(12) % 3}
    moved = DomainView("near", torch.zeros_like(view.inputs), view.splits, chance)
    teacher = SklearnTeacher("logistic_regression", calibration="sigmoid")
    teacher.build((WIDTH,), CLASSES, [])
    teacher.fit(moved, 0)
    assert np.allclose(teacher.label(moved.inputs).scores().exp().numpy(), 1 / 3, atol=0.02)


def test_a_class_that_no_training_row_has_is_nearly_impossible() -> None:
    view = source()
    labels = view.opened | {"train": view.opened["train"].clamp(max=1)}
    teacher = SklearnTeacher(settings=SETTINGS)
    teacher.build((WIDTH,), CLASSES, [])
    teacher.fit(DomainView("near", view.inputs, view.splits, labels), 0)
    said = teacher.label(view.inputs).scores()
    assert said.shape == (60, 3) and torch.allclose(said[:, 2].exp(), torch.tensor(LEAST))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"trusted": ["a.B"]}, "The 'trusted' of sklearn says nothing where there is no 'path'"),
        ({"classes": ["a"]}, "The 'classes' of sklearn says nothing where there is no 'path'"),
        ({"path": Path("m.skops"), "estimator": "ridge"}, "'estimator' of sklearn says nothing where a fitted"),
        ({"path": Path("m.skops"), "calibration": "sigmoid"}, "'calibration' of sklearn says nothing"),
        ({"estimator": "forest"}, "There is no classifier or regressor 'forest'"),
    ],
)
def test_settings_that_do_not_go_together_are_told(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        SklearnTeacher(**settings)


def test_without_probabilities_it_asks_for_calibration() -> None:
    with pytest.raises(UsageError, match="LinearSVC gives no probabilities: set 'calibration' of sklearn to sigmoid"):
        fitted(SklearnTeacher("LinearSVC"))
    said = fitted(SklearnTeacher("LinearSVC", calibration="sigmoid")).label(source().inputs).scores()
    assert torch.allclose(said.exp().sum(1), torch.ones(60), atol=1e-4)
    with pytest.raises(UsageError, match="none where values are regressed"):
        fitted(SklearnTeacher("ridge", calibration="sigmoid"), VALUES)


def test_a_value_that_scikit_learn_refuses_is_told_in_its_words() -> None:
    with pytest.raises(UsageError, match="cannot learn source: The 'n_estimators' parameter"):
        fitted(SklearnTeacher(settings={"n_estimators": -1}))


def test_a_pipeline_from_a_file_is_asked_about_raw_rows(tmp_path: Path) -> None:
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model.fit(RAW[["ward", "age"]], ["yes", "no", "yes", "no", "yes", "no"])
    teacher = loaded(kept(tmp_path, model))
    inputs = teacher.inputs(domain(RAW))
    said = teacher.label(inputs).scores().exp().numpy()
    assert np.allclose(said, model.predict_proba(RAW[["ward", "age"]]), atol=1e-6)
    assert said[0].argmax() == 1 and not teacher.learns() and teacher.provides == {"logits"}
    assert np.allclose(teacher.label(inputs[2:3]).scores().exp().numpy(), said[2:3])


def test_classes_of_a_file_are_put_into_our_order_by_name(tmp_path: Path) -> None:
    path = kept(tmp_path, RandomForestClassifier(5, random_state=0).fit(RAW[["age"]], [1, 0, 1, 0, 1, 0]))
    with pytest.raises(UsageError, match=r"knows the classes 0, 1, and the data have no, yes\. Name the data's"):
        loaded(path)
    plain = loaded(path, classes=["no", "yes"])
    turned = loaded(path, classes=["yes", "no"])
    inputs = plain.inputs(domain(RAW))
    assert torch.equal(plain.label(inputs).scores(), turned.label(inputs).scores().flip(1))
    assert plain.fingerprint() != turned.fingerprint()
    assert loaded(path, Task("classification", ("1", "0"))).label(inputs).scores().equal(turned.label(inputs).scores())


def test_values_of_a_file_are_brought_into_our_unit(tmp_path: Path) -> None:
    model = LinearRegression().fit(RAW[["age"]], 3 * RAW["age"] + 2)
    teacher = loaded(kept(tmp_path, model), VALUES)
    said = teacher.label(teacher.inputs(domain(RAW, VALUES))).scores()
    assert torch.allclose(VALUES.restore(said), torch.from_numpy(3 * RAW["age"].to_numpy() + 2).float(), atol=1e-3)


def test_a_file_for_another_task_is_refused(tmp_path: Path) -> None:
    path = kept(tmp_path, LinearRegression().fit(RAW[["age"]], RAW["age"]))
    with pytest.raises(UsageError, match="holds LinearRegression, and the task is classification"):
        loaded(path)


def test_a_column_may_be_missing_in_the_target_and_not_in_the_source(tmp_path: Path) -> None:
    model = RandomForestClassifier(5, random_state=0).fit(RAW[["age"]].assign(dose=1.0), ["no", "yes"] * 3)
    teacher = loaded(kept(tmp_path, model))
    assert teacher.inputs(domain(RAW)).isnan().any()
    with pytest.raises(UsageError, match="fitted on a column 'dose', which clinic lacks"):
        teacher.inputs(domain(RAW, role="source"))
