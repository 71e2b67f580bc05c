"""A table on disk, CSV or Parquet, one domain of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from limbeck.core import UsageError, did_you_mean
from limbeck.core.tables import pd
from limbeck.data import Data, Preprocessing, Raw
from limbeck.data._labels import Labels, Threshold, read_labels
from limbeck.data._reading import read_table
from limbeck.data._tables import TablePreprocessing
from limbeck.data._values import as_text

__all__ = ["Csv"]


class Csv(Data):
    """Rows of a table: .csv, .csv.gz, .tsv or .parquet, with a header.

    path: `~` and environment variables are filled in; comma, semicolon and tab are told apart.
    label: a column, or a threshold on one, such as `num > 0` or `income == ">50K"` (operators > >=
    < <= == !=), whose classes are called by it and its negation; none, where the domain has none.
    An empty cell is a missing label. mapping: from label values to class names, so that both
    domains name their classes alike. task: auto takes text, truth values and at most 20 different
    whole numbers for classes, other numbers for values to regress. where: only rows whose column
    has that value, for domains that share a file; such a column is no feature, nor is the label.
    group: rows with the same value there stay in one split (patients, sessions); no feature. test:
    rows whose column has that value are the official test split; no feature. missing: a value of a
    column that stands for a missing one, such as `{weight: 0}`. drop: columns not to use. name: of
    the domain, by default the value of `where` or the file's name.

    >>> Csv("rooms.csv", label="price > 100", where={"town": "Bonn"}).name
    'Bonn'
    """

    def __init__(
        self,
        path: Path | str,
        label: str | None = None,
        mapping: dict[str, str] | None = None,
        task: Literal["auto", "classification", "regression"] = "auto",
        where: dict[str, str | float] | None = None,
        group: str | None = None,
        test: dict[str, str | float] | None = None,
        missing: dict[str, str | float] | None = None,
        drop: list[str] | None = None,
        name: str | None = None,
    ):
        self.path = Path(path)
        self.label = label
        self.mapping = mapping
        self.task: Literal["auto", "classification", "regression"] = task
        self.where = dict(where or {})
        self.group = group
        self.test = dict(test or {})
        self.missing = dict(missing or {})
        self.drop = list(drop or ())
        values = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in self.where.values())
        self.name = name or values or self.path.name.partition(".")[0]

    def load(self) -> Raw:
        frame = self._emptied(self._chosen_rows(read_table(self.path)))
        unused = [*self.where, *self.test, *(self._known(frame, column, "drop") for column in self.drop)]
        labels: Labels | None = None
        if self.label is not None:
            column, labels = self._labels(frame, self.label)
            unused.append(column)
        groups: np.ndarray | None = None
        notes: tuple[str, ...] = ()
        if self.group is not None:
            groups, notes = _groups(frame[self._known(frame, self.group, "group")])
            unused.append(self.group)
        inputs = frame.drop(columns=list(dict.fromkeys(unused)))
        if not inputs.shape[1]:
            raise UsageError(
                f"No column of {self.path} is left as a feature beside {', '.join(map(repr, unused))}. A column of "
                "texts is read by the data part text."
            )
        test = self._test_rows(frame)
        if labels is None:
            return Raw(self.name, inputs, None, "classification", groups=groups, test=test, notes=notes)
        return Raw(self.name, inputs, labels.values, labels.kind, labels.classes, groups, test, notes)

    def preprocessing(self) -> Preprocessing:
        return TablePreprocessing()

    def _known(self, frame: pd.DataFrame, column: str, setting: str) -> str:
        if column not in frame:
            hint = did_you_mean(column, map(str, frame.columns))
            raise UsageError(f"The {setting!r} of csv names the column {column!r}, which {self.path} lacks. {hint}")
        return column

    def _chosen_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        for column, value in self.where.items():
            frame = frame[self._rows(frame, column, value, "where")].reset_index(drop=True)
        return frame

    def _emptied(self, frame: pd.DataFrame) -> pd.DataFrame:
        for column, value in self.missing.items():
            values = frame[self._known(frame, column, "missing")]
            frame = frame.assign(**{column: values.mask(as_text(values) == _text(value))})
        return frame

    def _test_rows(self, frame: pd.DataFrame) -> np.ndarray | None:
        """The rows of the official test split, which have all the values; None where there is no such split."""
        if not self.test:
            return None
        return np.logical_and.reduce([self._rows(frame, *item, "test") for item in self.test.items()])

    def _rows(self, frame: pd.DataFrame, column: str, value: str | float, setting: str) -> np.ndarray:
        """A mask of the rows that have a value; `UsageError` where none has it."""
        values = as_text(frame[self._known(frame, column, setting)])
        rows = (values == _text(value)).to_numpy()
        if not rows.any():
            known = sorted(set(values.dropna()))
            hint = did_you_mean(_text(value), known[:20])
            raise UsageError(f"No row of {self.path} has {column} = {_text(value)!r}. {hint}")
        return rows

    def _labels(self, frame: pd.DataFrame, label: str) -> tuple[str, Labels]:
        """The label's column, and the labels."""
        threshold = None if label in frame else Threshold.parse(label)
        if threshold is None:
            column = self._known(frame, label, "label")
            return column, read_labels(frame[column], self.task, f"column {column!r} in {self.path}", self.mapping)
        if self.task == "regression":
            raise UsageError(f"The 'label' of csv, {label!r}, makes two classes, and the 'task' is regression.")
        column = self._known(frame, threshold.column, "label")
        found = threshold.apply(frame[column])
        if self.mapping is None:
            return column, found
        named = pd.Series(found.values, dtype=object)
        renamed = read_labels(named, "classification", f"label {label!r} in {self.path}", self.mapping)
        classes = dict.fromkeys(self.mapping.get(name, name) for name in threshold.classes)
        return column, Labels(renamed.values, "classification", tuple(classes))


def _text(value: str | float) -> str:
    return str(as_text(pd.Series([value])).iloc[0])


def _groups(values: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Group numbers [n], and a note where rows had none and became a group each."""
    numbers, known = pd.factorize(as_text(values))
    alone = np.flatnonzero(numbers < 0)
    numbers[alone] = len(known) + np.arange(len(alone))
    note = f"{len(alone)} rows without a value in {values.name!r} are a group each."
    return numbers, (note,) if len(alone) else ()
