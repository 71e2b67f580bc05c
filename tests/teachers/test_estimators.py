"""Estimators by name, with seeds, calibrated, and from files that are not read blindly."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from small_skops import stand_in

from limbeck.core import UsageError
from limbeck.teachers._estimators import NAMES, calibrated, kinds_of, made, read_estimator, seeded

ROWS = np.random.default_rng(0).normal(size=(60, 3))
LABELS = np.arange(60) % 2


@pytest.mark.parametrize("name", NAMES)
def test_every_name_learns_and_predicts(name: str) -> None:
    for kind in NAMES[name]:
        labels = LABELS if kind == "classification" else ROWS[:, 0]
        predicted = made(name, kind, {}).fit(ROWS, labels).predict(ROWS)
        assert predicted.shape == (60,)


def test_any_class_of_scikit_learn_has_a_name() -> None:
    assert kinds_of("BaggingClassifier") == {"classification": BaggingClassifier}
    assert made("KNeighborsRegressor", "regression", {"n_neighbors": 2}).n_neighbors == 2


@pytest.mark.parametrize(
    ("name", "kind", "settings", "fault"),
    [
        ("extra_tres", "classification", {}, "in scikit-learn. Did you mean 'extra_trees'?"),
        ("BaggingClasifier", "classification", {}, "Did you mean 'BaggingClassifier'?"),
        ("ridge", "classification", {}, "ridge of scikit-learn is for values, and the task is classification"),
        ("BaggingClassifier", "regression", {}, "is for classes, and the task is regression"),
        ("StackingClassifier", "classification", {}, "Fit it and give its 'path'"),
        (
            "random_forest",
            "classification",
            {"n_estimator": 3},
            "no setting 'n_estimator'. Did you mean 'n_estimators'?",
        ),
    ],
)
def test_what_cannot_be_made_is_told(name: str, kind: str, settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(UsageError) as error:
        made(name, kind, settings)
    assert fault in str(error.value)


def test_a_seed_goes_where_chance_is_and_none_was_set() -> None:
    inside = BaggingClassifier(RandomForestClassifier(random_state=1))
    seeds = {name: value for name, value in seeded(inside, 7).get_params().items() if "random_state" in name}
    assert seeds == {"random_state": 7, "estimator__random_state": 1}
    assert seeded(made("nearest_neighbours", "classification", {}), 7).get_params() is not None


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_probabilities_are_the_shares_of_held_out_rows(method: str) -> None:
    """A model that is always nearly sure, and right in 4 of 5 cases on either side."""
    rows = np.array([[-1.0], [1.0]] * 50)
    labels = np.array([0, 1] * 50)
    labels[:20] = 1 - labels[:20]
    sure = LogisticRegression(C=1e6).fit(rows, rows[:, 0] > 0)
    assert sure.predict_proba([[1.0]])[0, 1] > 0.99
    said = calibrated(sure, method, rows, labels).predict_proba([[-1.0], [1.0]])[:, 1]
    assert np.allclose(said, [0.2, 0.8], atol=0.03)  # Platt's own targets are a little inside


def test_a_class_that_is_not_held_out_cannot_be_calibrated() -> None:
    model = LogisticRegression().fit(ROWS, LABELS)
    with pytest.raises(UsageError, match=r"class number 1 has 1 there: enlarge 'split\.selection'"):
        calibrated(model, "sigmoid", ROWS[:3], np.array([0, 0, 1]))


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl"])
def test_no_pickle_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(_Bomb(tmp_path / "ran")))
    with pytest.raises(UsageError, match="can run any program when they are read, so none is"):
        read_estimator(tmp_path / name)
    assert not (tmp_path / "ran").exists()


class _Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_what_is_no_estimator_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, io = tmp_path / "model.skops", stand_in(monkeypatch)
    with pytest.raises(UsageError, match="There is no file of an estimator"):
        read_estimator(path)
    path.write_bytes(b"nothing known")
    with pytest.raises(UsageError, match=r"model\.skops cannot be read as an estimator"):
        read_estimator(path)
    io.dump({"a": 1}, path)
    with pytest.raises(UsageError, match="holds dict, which is no estimator"):
        read_estimator(path)


def test_strange_types_are_named_and_made_only_where_they_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, io = tmp_path / "model.skops", stand_in(monkeypatch, ["evil.Thing", "evil.Other"])
    io.dump(LogisticRegression().fit(ROWS, LABELS), path)
    with pytest.raises(UsageError, match=r"does not know for safe: evil\.Other\. Name those that you trust"):
        read_estimator(path, ["evil.Thing"])
    assert read_estimator(path, ["evil.Thing", "evil.Other"]).predict(ROWS).shape == (60,)


def test_a_skops_file_is_read_back(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    model = RandomForestClassifier(5, random_state=0).fit(ROWS, LABELS)
    skops.dump(model, tmp_path / "model.skops")
    with pytest.raises(UsageError, match=r"does not know for safe: sklearn\.tree\._tree\.Tree"):
        read_estimator(tmp_path / "model.skops")
    read = read_estimator(tmp_path / "model.skops", ["sklearn.tree._tree.Tree"])
    assert np.array_equal(read.predict_proba(ROWS), model.predict_proba(ROWS))


def test_a_skops_file_without_skops_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.skops").write_bytes(b"zip")
    for module in ("skops", "skops.io"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"pip install 'limbeck\[skops\]'"):
        read_estimator(tmp_path / "model.skops")
