"""A teacher of scikit-learn: fitted to the source here, or read from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from limbeck.core import Domain, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.core.weights import fingerprint
from limbeck.teachers import Teacher
from limbeck.teachers._estimators import calibrated, kinds_of, made, read_estimator, seeded
from limbeck.teachers._raw_rows import RawRows

__all__ = ["SklearnTeacher"]

LEAST = 1e-6
"""A probability below this has the logarithm of this one: a forest says 0 of what no tree has seen."""

USUAL = "random_forest"


class SklearnTeacher(Teacher):
    """Any classifier or regressor of scikit-learn as a teacher; gives logits alone, `log p`, no layer and no gradient.

    estimator: random_forest (the default), extra_trees, gradient_boosting (of histograms), logistic_regression, ridge,
    nearest_neighbours, support_vectors, naive_bayes, or the name of a class of scikit-learn, such as
    `BaggingClassifier`. settings: its own parameters. It is fitted to the source's training rows as students see
    them, prepared, flattened and in memory, with a seed from the run's; each process that asks it fits it again, to
    the same answers, so that nothing is pickled. calibration: its probabilities are mapped to the shares that the
    source's selection split shows, by a "sigmoid" or "isotonic".

    path: a .skops file of a fitted estimator or pipeline instead. It is asked about rows as they were read: columns
    by the names that it was fitted on, gaps as NaN. Pickles (.joblib, .pkl) can run any program when they are read,
    and none is. trusted: types in the file, by name, that may be made beside those that skops knows for safe.
    classes: what the estimator's classes are called in the data, in its order, where the names differ.

    >>> teacher = SklearnTeacher("extra_trees", {"n_estimators": 10})
    >>> teacher.build((4,), Task("classification", ("no", "yes")), [])
    >>> SklearnTeacher("random_forrest")
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: There is no classifier or regressor 'random_forrest' in scikit-learn. Did you mean
    'random_forest'?
    """

    provides: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __init__(
        self,
        estimator: str | None = None,
        settings: Mapping[str, Any] | None = None,
        calibration: Literal["none", "sigmoid", "isotonic"] = "none",
        path: Path | None = None,
        classes: Sequence[str] | None = None,
        trusted: Sequence[str] = (),
    ):
        fitted_here = {"estimator": estimator, "settings": settings, "calibration": calibration != "none"}
        from_file = {"classes": classes, "trusted": trusted}
        unfit = [name for name, value in (from_file if path is None else fitted_here).items() if value]
        if unfit:
            given = "there is no 'path'" if path is None else "a fitted estimator is read from its 'path'"
            raise UsageError(f"The {unfit[0]!r} of sklearn says nothing where {given}: leave it out.")
        self.estimator = estimator or USUAL
        self.settings = dict(settings or {})
        self.calibration = calibration
        self.path = path
        self.classes = None if classes is None else [str(name) for name in classes]
        self.trusted = list(trusted)
        self.model: Any = None
        self.learnt = ""
        if path is None:
            kinds_of(self.estimator)

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        if asked := list(layers):
            raise UsageError(f"A teacher of scikit-learn has no inner layers. Asked for: {', '.join(asked)}.")
        self.task = task
        if self.path is not None:
            self._read(self.path)
            return
        if not task.is_classification and self.calibration != "none":
            raise bad_value("calibration", "sklearn", "none where values are regressed", self.calibration)
        self.model = made(self.estimator, task.kind, self.settings)
        if task.is_classification and self.calibration == "none":
            _check_speaks(self.model, "set 'calibration' of sklearn to sigmoid, which gives it some")

    def learns(self) -> bool:
        return self.path is None

    def fit(self, source: DomainView, seed: int) -> None:
        seed %= 2**32
        rows, labels = source.training()
        parts = [source.inputs[rows], labels]
        model = seeded(made(self.estimator, self.task.kind, self.settings), seed)
        try:
            self.model = model.fit(_flat(parts[0]), labels.numpy())
        except (TypeError, ValueError) as error:  # of a parameter's value, or of data that it cannot take
            raise UsageError(f"{type(model).__name__} of scikit-learn cannot learn {source.name}: {error}") from error
        if self.calibration != "none":
            held_out = [source.inputs[source.splits["selection"]], source.labels("selection")]
            self.model = calibrated(self.model, self.calibration, _flat(held_out[0]), held_out[1].numpy())
            parts += held_out
        if self.task.is_classification:
            self.places = [int(number) for number in self.model.classes_]
        self.learnt = fingerprint(str(seed), *parts)

    def inputs(self, domain: Domain) -> Tensor:
        return domain.inputs if self.path is None else self.rows.tensor(domain.raw, domain.name, _is_source(domain))

    def spec(self) -> Spec:
        return Spec(self.task.outputs)

    def label(self, inputs: Tensor) -> Knowledge:
        rows = _flat(inputs) if self.path is None else self.rows.table(inputs)
        if self.task.is_classification:
            chances = np.zeros((len(rows), self.task.outputs))
            chances[:, self.places] = self.model.predict_proba(rows)
            said = np.log(chances.clip(LEAST))
        else:
            said = np.asarray(self.model.predict(rows), dtype=np.float64).reshape(len(rows), -1)
            if self.path is not None:  # which learnt in the user's unit
                said = (said - self.task.offset) / self.task.scale
        return Knowledge(torch.from_numpy(said).float().to(inputs.device))

    def fingerprint(self) -> str:
        import sklearn

        own = f"{self.estimator} {sorted(self.settings.items())} {self.calibration} {self.classes}"
        return fingerprint(own, sklearn.__version__, self.learnt)

    def _read(self, path: Path) -> None:
        """Take the estimator of a file, where it is for this task and these classes."""
        from sklearn.base import is_classifier, is_regressor

        self.model = read_estimator(path, self.trusted)
        suits = is_classifier if self.task.is_classification else is_regressor
        if not suits(self.model):
            raise UsageError(f"{path} holds {type(self.model).__name__}, and the task is {self.task.kind}.")
        if self.task.is_classification:
            _check_speaks(self.model, "fit it with CalibratedClassifierCV around it")
            self.places = self._places(path)
        names = getattr(self.model, "feature_names_in_", None)
        self.rows = RawRows(None if names is None else [str(name) for name in names], _width(self.model))
        self.learnt = fingerprint(torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8))

    def _places(self, path: Path) -> list[int]:
        """Where each of the estimator's classes stands among ours."""
        known = [str(name) for name in self.model.classes_]
        named = known if self.classes is None else self.classes
        if len(named) != len(known) or sorted(named) != sorted(self.task.classes):
            raise UsageError(
                f"The estimator in {path} knows the classes {', '.join(known)}, and the data have "
                f"{', '.join(self.task.classes)}. Name the data's in the estimator's order by 'classes' of sklearn."
            )
        return [self.task.classes.index(name) for name in named]


def _flat(inputs: Tensor) -> np.ndarray:
    return inputs.flatten(1).cpu().numpy()


def _is_source(domain: Domain) -> bool:
    return domain.role == "source"


def _width(model: Any) -> int | None:
    width = getattr(model, "n_features_in_", None)
    return None if width is None else int(width)


def _check_speaks(model: Any, mend: str) -> None:
    if getattr(model, "predict_proba", None) is None:
        raise UsageError(f"{type(model).__name__} gives no probabilities: {mend}.")
