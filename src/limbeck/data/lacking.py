"""A table whose rows lack what the rows of another table lack."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from limbeck.core import UsageError, bad_value, generator
from limbeck.core.tables import pd
from limbeck.data import Data, Preprocessing, Raw

__all__ = ["Lacking"]


class Lacking(Data):
    """Copies of a table's rows, in each of which those cells are emptied that a row of another table lacks.

    For a source that knows more of its samples than the target does, such as a hospital with a test that others do
    not make: a model of the complete rows rests on what will not be there. Here it learns to do without it, by
    rows drawn with equal chance for each copy, and a score on the source's own splits tells what the gaps cost. It
    assumes nothing of why a value is missing there, and learns nothing from its being missing.

    rows: the table, with its labels. like: the table with the gaps, of which nothing else is read; name one of
    unlabelled training rows, for the gaps of the test rows are theirs. A column that it does not have is empty in
    every copy. copies: of each row, which stay together in one split. seed: of the draws.

    >>> import tempfile
    >>> from limbeck.data.csv import Csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = open(f"{folder}/all.csv", "w").write("age,sugar,ill\\n50,7,yes\\n60,8,no\\n")
    ...     _ = open(f"{folder}/few.csv", "w").write("age,sugar\\n55,\\n")
    ...     raw = Lacking(Csv(f"{folder}/all.csv", label="ill"), Csv(f"{folder}/few.csv"), copies=2).load()
    >>> raw.inputs["age"].tolist(), int(raw.inputs["sugar"].isna().sum()), raw.groups.tolist()
    ([50, 60, 50, 60], 4, [0, 1, 0, 1])
    """

    def __init__(self, rows: Data, like: Data, copies: Annotated[int, Ge(1)] = 8, seed: int = 0):
        if copies < 1:
            raise bad_value("copies", "lacking", "≥ 1", copies)
        self.rows = rows
        self.like = like
        self.copies = copies
        self.seed = seed

    def load(self) -> Raw:
        raw, other = self.rows.load(), self.like.load()
        table, gaps = _table(raw, "rows"), _gaps(_table(raw, "rows"), _table(other, "like"))
        own = np.tile(np.arange(len(raw)), self.copies)
        drawn = generator(self.seed, "lacking").integers(len(other), size=len(own))
        inputs = table.iloc[own].reset_index(drop=True).mask(gaps[drawn])
        lost = [f"{name} {share:.0%}" for name, share in zip(table, gaps.mean(0), strict=True) if share > 0]
        note = f"Each row stands here {self.copies} times and lacks what rows of {other.name} lack"
        return Raw(
            raw.name,
            inputs,
            None if raw.labels is None else raw.labels[own],
            raw.kind,
            raw.classes,
            own if raw.groups is None else raw.groups[own],
            None if raw.test is None else raw.test[own],
            (*raw.notes, f"{note}: {', '.join(lost)}." if lost else f"{note}, which is nothing."),
        )

    def preprocessing(self) -> Preprocessing:
        return self.rows.preprocessing()


def _table(raw: Raw, setting: str) -> pd.DataFrame:
    if not isinstance(raw.inputs, pd.DataFrame):
        raise UsageError(
            f"The {setting!r} of lacking must be a table with named columns, as of csv. {raw.name} holds an array "
            f"{list(raw.inputs.shape)}."
        )
    return raw.inputs


def _gaps(table: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """Which of the table's columns each row of the other lacks, [m, columns]; `UsageError` where it has none."""
    if not any(name in other for name in table):
        ours, theirs = (", ".join(map(str, frame.columns)) for frame in (table, other))
        raise UsageError(f"The 'rows' and 'like' of lacking share no column. They have: {ours}; and: {theirs}.")
    absent = np.ones(len(other), dtype=bool)
    return np.stack([other[name].isna().to_numpy() if name in other else absent for name in table], axis=1)
