"""Estimators by name, with seeds, calibrated, and from files that are not read blindly."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

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


def test_a_pickle_is_read_only_where_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(_Bomb(tmp_path / "ran"), path)
    with pytest.raises(UsageError, match="a pickle can run any program when it is read"):
        read_estimator(path, trusted=False)
    assert not (tmp_path / "ran").exists()
    joblib.dump(LogisticRegression().fit(ROWS, LABELS), path)
    assert read_estimator(path, trusted=True).predict(ROWS).shape == (60,)


class _Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_what_is_no_estimator_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    with pytest.raises(UsageError, match="There is no file of an estimator"):
        read_estimator(path, trusted=True)
    path.write_bytes(b"not a pickle")
    with pytest.raises(UsageError, match=r"model\.pkl cannot be read as an estimator"):
        read_estimator(path, trusted=True)
    joblib.dump({"a": 1}, path)
    with pytest.raises(UsageError, match="holds dict, which is no estimator"):
        read_estimator(path, trusted=True)


def test_strange_types_in_skops_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in with the two functions of skops that are called."""
    path, model = tmp_path / "model.skops", LogisticRegression()
    path.write_bytes(b"zip")
    loaded: list[list[str]] = []
    io = types.ModuleType("skops.io")
    io.get_untrusted_types = lambda *, file: ["evil.Thing"]  # type: ignore[attr-defined]
    io.load = lambda file, trusted: loaded.append(trusted) or model  # type: ignore[attr-defined]
    package = types.ModuleType("skops")
    package.io = io  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "skops", package)
    monkeypatch.setitem(sys.modules, "skops.io", io)
    with pytest.raises(UsageError, match=r"types that skops does not know for safe: evil\.Thing"):
        read_estimator(path, trusted=False)
    assert not loaded
    assert read_estimator(path, trusted=True) is model and loaded == [["evil.Thing"]]


def test_a_skops_file_is_read_back(tmp_path: Path) -> None:
    skops = pytest.importorskip("skops.io")
    model = RandomForestClassifier(5, random_state=0).fit(ROWS, LABELS)
    skops.dump(model, tmp_path / "model.skops")
    read = read_estimator(tmp_path / "model.skops", trusted=False)
    assert np.array_equal(read.predict_proba(ROWS), model.predict_proba(ROWS))


def test_a_skops_file_without_skops_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.skops").write_bytes(b"zip")
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(UsageError, match=r"pip install 'limbeck\[skops\]'"):
        read_estimator(tmp_path / "model.skops", trusted=False)
