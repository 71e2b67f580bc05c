"""Estimators of scikit-learn: made from a name and settings, fitted, calibrated, or read from a file."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from limbeck.core import UsageError, did_you_mean, missing_extra

__all__ = ["NAMES", "calibrated", "kinds_of", "made", "read_estimator", "seeded"]

Kind = Literal["classification", "regression"]

NAMES: dict[str, dict[str, str]] = {
    "random_forest": {
        "classification": "sklearn.ensemble:RandomForestClassifier",
        "regression": "sklearn.ensemble:RandomForestRegressor",
    },
    "extra_trees": {
        "classification": "sklearn.ensemble:ExtraTreesClassifier",
        "regression": "sklearn.ensemble:ExtraTreesRegressor",
    },
    "gradient_boosting": {
        "classification": "sklearn.ensemble:HistGradientBoostingClassifier",
        "regression": "sklearn.ensemble:HistGradientBoostingRegressor",
    },
    "nearest_neighbours": {
        "classification": "sklearn.neighbors:KNeighborsClassifier",
        "regression": "sklearn.neighbors:KNeighborsRegressor",
    },
    "support_vectors": {"classification": "sklearn.svm:SVC", "regression": "sklearn.svm:SVR"},
    "logistic_regression": {"classification": "sklearn.linear_model:LogisticRegression"},
    "naive_bayes": {"classification": "sklearn.naive_bayes:GaussianNB"},
    "ridge": {"regression": "sklearn.linear_model:Ridge"},
}
"""Well-known estimators by the name that a recipe gives them, and what they are for classes and for values."""

SUFFIXES: dict[str, Kind] = {"Classifier": "classification", "Regressor": "regression"}


def kinds_of(name: str) -> dict[str, type]:
    """The classes behind a name, by the kind of task; `UsageError` where scikit-learn has none.

    >>> kinds_of("ridge")["regression"].__name__
    'Ridge'
    """
    if name in NAMES:
        return {kind: _imported(path) for kind, path in NAMES[name].items()}
    from sklearn.utils import all_estimators

    found = {kind: dict(all_estimators(suffix.lower())) for suffix, kind in SUFFIXES.items()}
    classes: dict[str, type] = {kind: estimators[name] for kind, estimators in found.items() if name in estimators}
    if not classes:
        known = [*NAMES, *(estimator for estimators in found.values() for estimator in estimators)]
        hint = did_you_mean(name, known) if any(char.isupper() for char in name) else did_you_mean(name, NAMES)
        raise UsageError(f"There is no classifier or regressor {name!r} in scikit-learn. {hint}")
    return classes


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def made(name: str, kind: str, settings: Mapping[str, Any]) -> Any:
    """A new, unfitted estimator; `UsageError` where it does not suit the task or has no such setting."""
    classes = kinds_of(name)
    if kind not in classes:
        what = {"classification": "classes", "regression": "values"}
        other = next(iter(classes))
        raise UsageError(f"{name} of scikit-learn is for {what[other]}, and the task is {kind}.")
    try:
        estimator = classes[kind]()
    except TypeError as error:  # one that is made of other estimators
        raise UsageError(f"{name} cannot be made from plain settings: {error}. Fit it and give its 'path'.") from error
    strange = [key for key in settings if key not in estimator.get_params()]
    if strange:
        hint = did_you_mean(strange[0], estimator.get_params())
        raise UsageError(f"{type(estimator).__name__} has no setting {strange[0]!r}. {hint}")
    return estimator.set_params(**settings)


def seeded(estimator: Any, seed: int) -> Any:
    """The estimator with a seed wherever it draws by chance and none was set."""
    free = [name for name, value in estimator.get_params().items() if value is None and _draws(name)]
    return estimator.set_params(**dict.fromkeys(free, seed))


def _draws(name: str) -> bool:
    return name.rpartition("__")[2] == "random_state"


def calibrated(estimator: Any, method: str, rows: np.ndarray, labels: np.ndarray) -> Any:
    """A fitted classifier whose probabilities are mapped to the shares seen in held-out rows.

    method: "sigmoid" (Platt 1999) or "isotonic" (Zadrozny & Elkan 2002), as scikit-learn fits them.
    `UsageError` where a class has fewer than two rows there.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    counts = {int(label): int((labels == label).sum()) for label in estimator.classes_}
    few = [label for label, count in counts.items() if count < 2]
    if few:
        raise UsageError(
            f"The calibration needs two samples of each class in the source's selection split, and class number "
            f"{few[0]} has {counts[few[0]]} there: enlarge 'split.selection', or set 'calibration' to none."
        )
    return CalibratedClassifierCV(FrozenEstimator(estimator), method=method, cv=2).fit(rows, labels)


def read_estimator(path: Path, trusted: Collection[str] = ()) -> Any:
    """A fitted estimator from a .skops file; a pickle is never read.

    trusted: names of types in the file that may be made beside those that skops knows for safe. `UsageError` names
    the others, and what is no estimator.
    """
    if not path.is_file():
        raise UsageError(f"There is no file of an estimator {path}.")
    if path.suffix != ".skops":
        raise UsageError(
            f"{path} is no .skops file. Pickles (.joblib, .pkl) can run any program when they are read, so none is: "
            "where you made it yourself, read it yourself, and write it by skops.io.dump(model, 'model.skops')."
        )
    try:
        types_of, load = (_imported(f"skops.io:{name}") for name in ("get_untrusted_types", "load"))
    except ImportError as error:
        raise missing_extra("skops", "skops", f"Reading {path.name}") from error
    try:
        strange = [name for name in types_of(file=path) if name not in trusted]
        found = None if strange else load(path, trusted=list(trusted))
    except Exception as error:  # a damaged or foreign file may raise anything
        raise UsageError(f"{path} cannot be read as an estimator: {type(error).__name__}: {error}") from error
    if strange:
        raise UsageError(
            f"{path} holds types that skops does not know for safe: {', '.join(strange)}. Name those that you trust "
            "in 'trusted' of sklearn."
        )
    if not callable(getattr(found, "predict", None)):
        raise UsageError(f"{path} holds {type(found).__name__}, which is no estimator of scikit-learn.")
    return found
