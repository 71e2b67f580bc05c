"""From two domains as they were read to two domains that can be trained on."""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from limbeck.core import Domain, Task, UsageError, bad_value
from limbeck.core.tables import pd
from limbeck.data._classes import agree_on_classes, class_numbers, take, take_rows
from limbeck.data._data import Preprocessing, Raw
from limbeck.data._frame import match_frames
from limbeck.data._images import ImagePreprocessing
from limbeck.data._mapped import Mapped
from limbeck.data._overlap import overlap
from limbeck.data._splits import SplitSettings, draw_labelled, draw_splits, quantile_bins
from limbeck.data._tables import TablePreprocessing
from limbeck.data._text import TextPreprocessing
from limbeck.data._vectors import VectorPreprocessing

__all__ = ["Match", "prepare", "restore_preprocessing"]

Match = Literal["none", "frame", "columns", "units"]

KINDS: dict[str, type[Preprocessing]] = {
    "table": TablePreprocessing,
    "vectors": VectorPreprocessing,
    "images": ImagePreprocessing,
    "text": TextPreprocessing,
}


LEAST = 3
"""Rows below which a domain cannot be divided."""


def prepare(
    source: Raw,
    target: Raw,
    preprocessing: Preprocessing,
    split: SplitSettings,
    classes: Literal["same", "shared", "source"] = "same",
    match: Match = "none",
) -> tuple[Domain, Domain, Preprocessing, Task]:
    """Check, divide, fit on the source's train rows, apply to both.

    Source rows without a label are dropped; target rows without one only train. Classes are in
    the source's order and, by `classes`, the same in both domains ("same"), only those that both
    have ("shared"), or the source's, of which the target may lack some ("source"). Nothing of the
    target, and nothing of the source's other splits, changes what is fitted. match: "frame" moves
    the source's images, once they are prepared, to where the target's content lies, by the
    unlabelled images of both that train; "columns" scales each number by the mean and deviation
    of its own domain, those of the target for all that is predicted later, "units" only the
    numbers that lie on another scale there. `UsageError` where the domains cannot be used so; the
    sentence names the domain.

    >>> rows, labels = np.arange(40.0).reshape(20, 2), np.array(["a", "b"] * 10, dtype=object)
    >>> raw = Raw("toy", rows, labels, "classification")
    >>> source, target, _, task = prepare(raw, raw, VectorPreprocessing(), SplitSettings())
    >>> task.classes, {name: len(rows) for name, rows in target.splits.items()}
    (('a', 'b'), {'labelled': 0, 'train': 10, 'selection': 4, 'test': 6})
    """
    _check(source, "source")
    _check(target, "target")
    source, target = _labelled_source(source), _known_target(target)
    names: tuple[str, ...] = ()
    if source.labels is not None and target.labels is not None and source.kind != target.kind:
        raise UsageError(
            f"The labels of {source.name} are for {source.kind}, those of {target.name} for {target.kind}, such as "
            f"{str(source.labels[0])!r} and {str(target.labels[0])!r}. Set the 'task' of both, or mend the values."
        )
    if source.kind == "classification":
        source, target, names = agree_on_classes(source, target, classes)
    labels, target_labels = _encoded(source, names), _encoded(target, names)
    assert labels is not None
    splits = draw_splits(_strata(source, labels), split, "source", source.groups, source.test)
    target, target_splits = _target_splits(target, target_labels, names, split)
    task = Task("classification", names) if names else _regression(source.name, labels[splits["train"]])
    with _owner(source):
        fitted = preprocessing.fit(take(source.inputs, splits["train"]))
    near = _domain(source, "source", labels, task, splits, fitted)
    if match in ("columns", "units"):
        with _owner(target):
            trained = take(target.inputs, np.concatenate([target_splits["labelled"], target_splits["train"]]))
            chosen = fitted.foreign(trained) if match == "units" else None
            fitted = fitted.matched(trained, chosen)
        note = f"By its own mean and deviation it scales {_these(chosen)}."
        target = replace(target, notes=(*target.notes, note))
    far = _domain(target, "target", target_labels, task, target_splits, fitted)
    far.notes += tuple(overlap(near, far))
    if match == "frame":
        match_frames(near, far)
    return near, far, fitted, task


def _these(names: Sequence[str] | None) -> str:
    if names is None:
        return "its numbers"
    return ", ".join(map(repr, names)) or "nothing: no column lies on another scale"


def restore_preprocessing(state: Mapping[str, Any]) -> Preprocessing:
    """The preprocessing whose `state()` this is.

    `kind` in the state says which; one from outside the package writes its own dotted path there
    (`package.module:Class`), and it must be a `Preprocessing`.
    """
    kind = str(state.get("kind"))
    if kind in KINDS:
        return KINDS[kind].from_state(state)
    module, _, name = kind.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise UsageError(f"The preprocessing {kind!r} of this student cannot be imported: {error}.") from error
    if not (inspect.isclass(found) and issubclass(found, Preprocessing)):
        raise UsageError(f"{kind!r} is not derived from limbeck.data:Preprocessing.")
    return found.from_state(state)


@contextlib.contextmanager
def _owner(raw: Raw) -> Iterator[None]:
    """Errors inside name the domain."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{raw.name}: {error}") from error


def _check(raw: Raw, role: str) -> None:
    if not len(raw):
        raise UsageError(f"The {role} {raw.name} is empty.")
    if len(raw) < LEAST:
        raise UsageError(
            f"The {role} {raw.name} has {len(raw)} {'row' if len(raw) == 1 else 'rows'}, and at least {LEAST} are "
            "needed: one each to train on, to select by and to test on. What has only few samples can be predicted by "
            "a student of another target: `limbeck predict`."
        )
    for what, values in (("labels", raw.labels), ("groups", raw.groups), ("test", raw.test), ("origins", raw.origins)):
        if values is not None and len(values) != len(raw):
            raise UsageError(f"The {role} {raw.name} has {len(raw)} inputs and {len(values)} {what}.")
    if raw.labels is not None and raw.kind == "regression" and np.isinf(raw.labels.astype(np.float64)).any():
        raise UsageError(f"The labels of {raw.name} hold infinite values. Remove those rows, or leave the label empty.")


def _labelled_source(raw: Raw) -> Raw:
    if raw.labels is None or pd.isna(raw.labels).all():
        raise UsageError(f"The source {raw.name} has no labels. Name them by 'label' of csv or 'labels' of arrays.")
    missing = pd.isna(raw.labels)
    return take_rows(raw, ~missing, f"{missing.sum()} rows without a label are not used.")


def _known_target(raw: Raw) -> Raw:
    if raw.labels is None:
        return raw
    missing = pd.isna(raw.labels)
    if missing.all():
        return replace(raw, labels=None, notes=(*raw.notes, "No row has a label."))
    return raw


def _encoded(raw: Raw, classes: tuple[str, ...]) -> np.ndarray | None:
    if raw.labels is None:
        return None
    return class_numbers(raw.labels, classes) if classes else raw.labels.astype(np.float32)


def _strata(raw: Raw, labels: np.ndarray | None) -> np.ndarray:
    if labels is None:
        return np.zeros(len(raw), dtype=np.int64)
    return labels if labels.dtype == np.int64 else quantile_bins(labels)


def _target_splits(
    raw: Raw, labels: np.ndarray | None, classes: tuple[str, ...], split: SplitSettings
) -> tuple[Raw, dict[str, np.ndarray]]:
    strata = _strata(raw, labels)
    splits = draw_splits(strata, split, "target", raw.groups, raw.test)
    unlabelled = int((strata < 0).sum())
    trained = int((strata[splits["train"]] < 0).sum())
    notes = []
    if trained:
        notes.append(f"{trained} rows without a label train unlabelled.")
    if unlabelled > trained:
        notes.append(f"{unlabelled - trained} rows without a label are not used: selection or test has their group.")
    if labels is None:
        if split.labelled:
            raise bad_value("labelled", "split", f"0, since {raw.name} has no labels", split.labelled)
        labelled = np.empty(0, dtype=np.int64)
    else:
        labelled = draw_labelled(splits["train"], labels, classes, split)
    train = np.setdiff1d(splits["train"], labelled)
    return replace(raw, notes=(*raw.notes, *notes)), {**splits, "train": train, "labelled": labelled}


def _regression(name: str, values: np.ndarray) -> Task:
    values = values.astype(np.float64)
    scale = float(values.std())
    if not scale > 0:
        raise UsageError(f"All labels of {name} that train are {values[0]:g}: there is nothing to predict.")
    return Task("regression", offset=float(values.mean()), scale=scale)


def _domain(
    raw: Raw,
    role: Literal["source", "target"],
    labels: np.ndarray | None,
    task: Task,
    splits: Mapping[str, np.ndarray],
    fitted: Preprocessing,
) -> Domain:
    with _owner(raw):
        inputs = fitted.transform(raw.inputs)
        notes = (*raw.notes, *(fitted.notes if role == "source" else fitted.meet(raw.inputs)))
    mapped = isinstance(raw.inputs, Mapped)
    return Domain(raw.name, role, inputs, labels, task, splits, raw.inputs, notes, mapped, raw.origins)
