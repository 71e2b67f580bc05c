"""Several sources as one domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from limbeck.core import UsageError, bad_value
from limbeck.core.tables import pd
from limbeck.data import Data, Preprocessing, Raw

__all__ = ["Several"]


class Several(Data):
    """The rows of several data parts, one after another, each as likely to be drawn as any other.

    parts: of one kind: tables (a column that one lacks is missing there), texts with the same columns, or arrays
    whose samples have one shape. All is read into memory. Inputs are prepared as the first part says, fitted on the
    training rows of all. Each part is a domain by itself to the methods that tell source domains apart, such as
    `group_dro`. Groups of different parts are different. Where some parts have an official test split,
    the rows of the others train and select. A recipe's `weighting` lets those count that are like the target. name:
    of the domain, by default those of the parts.

    >>> from limbeck.data.arrays import Arrays
    >>> near = Arrays(np.zeros((2, 3)), labels=["a", "b"], name="near")
    >>> pooled = Several([near, Arrays(np.ones((1, 3)), labels=["b"], name="far")]).load()
    >>> pooled.name, pooled.labels.tolist(), pooled.notes
    ('near and far', ['a', 'b', 'b'], ('2 rows are of near, 1 of far.',))
    """

    def __init__(self, parts: Sequence[Data], name: str | None = None):
        if not parts:
            raise bad_value("parts", "several", "a list with at least one data part", list(parts))
        self.parts = list(parts)
        self.name = name

    def load(self) -> Raw:
        raws = [part.load() for part in self.parts]
        kinds = {raw.kind for raw in raws if raw.labels is not None} or {"classification"}
        if len(kinds) > 1:
            tasks = ", ".join(f"{raw.name} for {raw.kind}" for raw in raws)
            raise UsageError(f"The labels of several are of two kinds: {tasks}. Set the 'task' of each part.")
        kind = kinds.pop()
        orders = {raw.classes for raw in raws if raw.labels is not None}
        return Raw(
            self.name or " and ".join(raw.name for raw in raws),
            _inputs(raws),
            _labels(raws, kind == "regression"),
            kind,
            orders.pop() if len(orders) == 1 else None,  # parts with other classes: their natural order
            _groups(raws),
            _test(raws),
            (_sizes(raws), *(f"{raw.name}: {note}" for raw in raws for note in raw.notes)),
            np.concatenate([np.full(len(raw), name, object) for raw, name in zip(raws, _names(raws), strict=True)]),
        )

    def preprocessing(self) -> Preprocessing:
        first, *others = (part.preprocessing() for part in self.parts)
        for other in others:
            if type(other) is not type(first):
                names = f"{type(first).__name__} and {type(other).__name__}"
                raise UsageError(f"The 'parts' of several must be prepared alike. Got {names}.")
        return first


def _names(raws: Sequence[Raw]) -> list[str]:
    """The names of the parts, each its own: the second of one name has its number behind it."""
    given = [raw.name for raw in raws]
    return [name if name not in given[:place] else f"{name} {place + 1}" for place, name in enumerate(given)]


def _inputs(raws: Sequence[Raw]) -> pd.DataFrame | np.ndarray:
    tables = [raw.inputs for raw in raws if isinstance(raw.inputs, pd.DataFrame)]
    if len(tables) == len(raws):
        return pd.concat(tables, ignore_index=True)
    arrays = [raw.inputs[:] for raw in raws if not isinstance(raw.inputs, pd.DataFrame)]
    shapes = [list(array.shape[1:]) for array in arrays]
    if tables or any(shape != shapes[0] for shape in shapes):
        told = [f"{raw.name} {_shape(raw)}" for raw in raws]
        raise UsageError(f"The samples of several must have one shape. Got: {', '.join(told)}.")
    return np.concatenate(arrays)


def _shape(raw: Raw) -> str:
    return "a table" if isinstance(raw.inputs, pd.DataFrame) else str(raw.inputs.shape[1:])


def _labels(raws: Sequence[Raw], values: bool) -> np.ndarray | None:
    """Those of a part that has none are missing."""
    if all(raw.labels is None for raw in raws):
        return None
    absent, dtype = (np.nan, np.float64) if values else (None, object)
    return np.concatenate([np.full(len(raw), absent, dtype) if raw.labels is None else raw.labels for raw in raws])


def _groups(raws: Sequence[Raw]) -> np.ndarray | None:
    """Numbered anew; a row of a part without groups is one of its own."""
    if all(raw.groups is None for raw in raws):
        return None
    found, first = [], 0
    for raw in raws:
        own = np.arange(len(raw)) if raw.groups is None else np.unique(raw.groups, return_inverse=True)[1]
        found.append(first + own)
        first += int(own.max()) + 1
    return np.concatenate(found)


def _test(raws: Sequence[Raw]) -> np.ndarray | None:
    if all(raw.test is None for raw in raws):
        return None
    return np.concatenate([np.zeros(len(raw), dtype=bool) if raw.test is None else raw.test for raw in raws])


def _sizes(raws: Sequence[Raw]) -> str:
    first, *others = raws
    return ", ".join([f"{len(first)} rows are of {first.name}", *(f"{len(raw)} of {raw.name}" for raw in others)]) + "."
