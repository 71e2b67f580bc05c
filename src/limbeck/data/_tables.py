"""Tables: numbers, dates, truth values and categories to standardised numbers, by what the source's rows say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from limbeck.core import UsageError, did_you_mean
from limbeck.core.tables import pd
from limbeck.data._data import Inputs, Preprocessing
from limbeck.data._reading import read_table
from limbeck.data._values import as_text, days, mostly_numbers

__all__ = ["TablePreprocessing"]

CLIP = 5.0
"""Standardised numbers end at ± that many deviations, so that a foreign unit or a slip cannot explode."""
INDICATOR_SHARE = 0.05
"""A column that lacks at least that share of its values on the source gets an input saying so."""
FOREIGN_SHARE, FOREIGN_SPREAD = 0.2, 10.0
"""A number is on another scale where that share of its values is cut, or it spreads so many times more or less."""
HEAVY = 0.5
"""From that share of missing values on, a sentence says so."""
MOST_LEVELS = 30
"""A category keeps its most frequent levels; the rest are pooled."""
ID_SHARE = 0.9
"""Text with more distinct values than that, per row, names the row and is not used."""
MIXED = "is read as text, though most of its values are numbers: name the others in 'missing', or mend them"


@dataclass(frozen=True)
class Column:
    """What was learnt of one column. indicator: whether a missing value is an input of its own."""

    name: str
    kind: Literal["number", "date", "category"]
    indicator: bool
    missing: float
    centre: float = 0.0
    deviation: float = 1.0
    fill: float = 0.0
    levels: tuple[str, ...] = ()
    pooled: bool = False


class TablePreprocessing(Preprocessing):
    """A table as float32 [n, d], by columns that the source has.

    Numbers (and truth values as 0 and 1, ISO 8601 dates as days): a missing one becomes the
    source's median, then the source's mean is taken off, divided by its deviation, and ±5 is the
    limit. Categories: one input a level, the 30 most frequent, and one for all others where the
    source has others; a level that the source does not have is among the others, or all zeros. A
    missing value has an input of its own (its share on the source taken off) where at least 5 %
    of the source's train rows lack it: one seen too rarely would have a weight that nobody tested,
    and a target that lacks the whole column would rest on it.

    Not used, each with a sentence in `notes`: columns that are constant or empty on the source, and
    text that differs in nearly every row. A column that only the target has is ignored, one that
    it lacks counts as missing there.

    >>> frame = pd.DataFrame({"age": [20.0, 40.0], "ward": ["a", "b"]})
    >>> fitted = TablePreprocessing().fit(frame)
    >>> fitted.transform(pd.DataFrame({"age": [30.0, 20.0], "ward": ["b", "new"]})).tolist()
    [[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]
    """

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.unused: dict[str, str] = {}
        self.lacking: list[str] = []

    def fit(self, inputs: Inputs) -> Self:
        frame = _checked(inputs)
        self.columns, self.unused = [], {}
        for name in map(str, frame.columns):
            learnt = _learn(name, frame[name])
            if isinstance(learnt, Column):
                self.columns.append(learnt)
            else:
                self.unused[name] = learnt
        if not self.columns:
            raise UsageError(f"There is no column to learn from. {' '.join(self.notes)}")
        return self

    def transform(self, inputs: Inputs) -> Tensor:
        frame = _checked(inputs)
        if not any(column.name in frame for column in self.columns):
            ours, theirs = (", ".join(map(str, names)) for names in ([c.name for c in self.columns], frame.columns))
            raise UsageError(f"No column of the source is here. The source has: {ours}. Here are: {theirs}.")
        absent = pd.Series(np.nan, index=frame.index, dtype=np.float64)
        blocks = [_inputs(column, frame.get(column.name, absent)) for column in self.columns]
        return torch.from_numpy(np.concatenate(blocks, axis=1))

    @property
    def notes(self) -> list[str]:
        """The source's columns that are not used, or not in full, in sentences."""
        unused = [f"Column {name!r} is not used: {reason}." for name, reason in self.unused.items()]
        mixed = [column.name for column in self.columns if mostly_numbers(column.levels)]
        pooled = [column.name for column in self.columns if column.pooled and column.name not in mixed]
        unused += [f"Column {name!r} {MIXED}." for name in mixed]
        return unused + [
            f"Column {name!r} is text with more than {MOST_LEVELS} values, the rarer ones count as one. A date is read "
            "as YYYY-MM-DD."
            for name in pooled
        ]

    def meet(self, inputs: Inputs) -> list[str]:
        """How the columns of the target differ; those that it lacks are not asked for in `read`."""
        frame = _checked(inputs)
        names = [column.name for column in self.columns]
        self.lacking = [name for name in names if name not in frame]
        notes = [f"Column {name!r} is not here: its values count as missing." for name in self.lacking]
        here = frame[[name for name in names if name in frame]].isna()
        notes += [f"Column {name!r} is empty here: its values count as missing." for name in here if here[name].all()]
        share = float(here.to_numpy().mean()) if here.size else 0.0
        if share >= HEAVY:
            notes.append(f"{share:.0%} of the values are missing and count as the source's median, or as no category.")
        many = ", ".join(map(repr, self.foreign(frame)))
        if many:
            notes.append(f"On another scale than in the source: {many}. `match: units` scales them by themselves.")
        extra = [name for name in map(str, frame.columns) if name not in {*names, *self.unused}]
        return notes + [f"Column {name!r} is not in the source and not used." for name in extra]

    def foreign(self, inputs: Inputs) -> list[str]:
        """Numbers of three values or more, of which many would be cut, or that spread 10 times more or less."""
        frame = _checked(inputs)
        return [column.name for column in self.columns if column.name in frame and _foreign(column, frame[column.name])]

    def matched(self, inputs: Inputs, names: Collection[str] | None = None) -> Self:
        """Numbers and dates by these rows; what is not here, or takes two values alone, as yes and no, stays."""
        frame = _checked(inputs)
        here = set(frame) if names is None else {*frame} & {*names}
        made = type(self)()
        made.columns = [_matched(c, frame[c.name]) if c.name in here else c for c in self.columns]
        made.unused, made.lacking = dict(self.unused), list(self.lacking)
        return made

    def state(self) -> dict[str, Any]:
        columns = [{**asdict(column), "levels": list(column.levels)} for column in self.columns]
        return {"kind": "table", "columns": columns, "unused": dict(self.unused), "lacking": list(self.lacking)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        made = cls()
        made.columns = [Column(**{**column, "levels": tuple(column["levels"])}) for column in state["columns"]]
        made.unused = dict(state["unused"])
        made.lacking = list(state["lacking"])
        return made

    def read(self, path: Path) -> pd.DataFrame:
        """The columns that were learnt, from a CSV or Parquet file; others are ignored, a label too.

        `UsageError` where one is not there: a missing column is a slip, but for those that the target lacked.
        """
        frame = read_table(path)
        known = [column.name for column in self.columns if column.name in frame]
        absent = [column.name for column in self.columns if column.name not in {*known, *self.lacking}]
        if absent:
            hint = did_you_mean(absent[0], map(str, frame.columns))
            raise UsageError(f"{path} lacks {', '.join(map(repr, absent))}, which the student reads. {hint}")
        return frame[known]


def _checked(inputs: Inputs) -> pd.DataFrame:
    if not isinstance(inputs, pd.DataFrame):
        raise UsageError(f"A table was expected, with named columns. Got an array {list(inputs.shape)}.")
    for name in inputs:
        values = inputs[name]
        if values.dtype == object and values.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
            raise UsageError(f"Column {name!r} holds lists or records. Drop it, or spread it over columns.")
    return inputs


def _learn(name: str, values: pd.Series) -> Column | str:
    """What is to know of a source column, or why it is not used."""
    missing = values.isna()
    if missing.all():
        return "it is empty on the source"
    share = float(missing.mean())
    indicator = share >= INDICATOR_SHARE
    kind = _kind(values)
    if kind == "category":
        return _learn_category(name, as_text(values).dropna(), indicator, share)
    known = _numbers(name, kind, values)
    known = known[~np.isnan(known)]
    if np.ptp(known) == 0 and not indicator:
        return f"it is constant ({known[0]:g}) on the source"
    deviation = float(known.std()) if np.ptp(known) > 0 else 1.0
    return Column(name, kind, indicator, share, float(known.mean()), deviation, float(np.median(known)))


def _matched(column: Column, values: pd.Series) -> Column:
    known = _measured(column, values)
    if known is None:
        return column
    return replace(column, centre=float(known.mean()), deviation=float(known.std()), fill=float(np.median(known)))


def _foreign(column: Column, values: pd.Series) -> bool:
    known = _measured(column, values)
    if known is None or column.kind == "date":  # later days are no other unit
        return False
    cut = float((np.abs(known - column.centre) > CLIP * column.deviation).mean())
    spread = float(known.std()) / column.deviation
    return cut >= FOREIGN_SHARE or not 1 / FOREIGN_SPREAD <= spread <= FOREIGN_SPREAD


def _measured(column: Column, values: pd.Series) -> np.ndarray | None:
    """The known numbers of a column; None where it has none, or they take one or two values alone."""
    if column.kind == "category":
        return None
    known = _numbers(column.name, column.kind, values)
    known = known[~np.isnan(known)]
    return known if len(np.unique(known)) > 2 else None


def _learn_category(name: str, text: pd.Series, indicator: bool, share: float) -> Column | str:
    counts = text.value_counts()
    if len(counts) == 1 and not indicator:
        return f"it is constant ({counts.index[0]}) on the source"
    if len(counts) > MOST_LEVELS and len(counts) > ID_SHARE * len(text):
        return f"it {MIXED}" if mostly_numbers(counts.index) else "its text differs in nearly every row"
    ranked = sorted(counts.index, key=lambda level: (-counts[level], level))
    return Column(
        name, "category", indicator, share, levels=tuple(ranked[:MOST_LEVELS]), pooled=len(ranked) > MOST_LEVELS
    )


def _kind(values: pd.Series) -> Literal["number", "date", "category"]:
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return "number"
    known = values.dropna()
    if not pd.to_numeric(known, errors="coerce").isna().any():
        return "number"
    if not days(known).isna().any():
        return "date"
    return "category"


def _numbers(name: str, kind: Literal["number", "date"], values: pd.Series) -> np.ndarray:
    """The column as float64 with NaN for a missing value; `UsageError` where it holds something else."""
    if values.isna().all():
        return np.full(len(values), np.nan)
    made = days(values) if kind == "date" else pd.to_numeric(values, errors="coerce")
    numbers = made.to_numpy(np.float64, na_value=np.nan)
    strange = np.isnan(numbers) & ~values.isna().to_numpy()
    if strange.any():
        example = values[strange].iloc[0]
        noun = "dates (YYYY-MM-DD)" if kind == "date" else "numbers"
        raise UsageError(
            f"Column {name!r} holds {noun} in the source, and here it holds {example!r}. Mend the values, name them in "
            "'missing', or drop the column."
        )
    if np.isinf(numbers).any():
        raise UsageError(f"Column {name!r} holds infinite values. Empty those cells, or drop the column.")
    return numbers


def _inputs(column: Column, values: pd.Series) -> np.ndarray:
    """The float32 inputs [n, k] of one column."""
    if column.kind == "category":
        blocks = _one_hot(column, values)
    else:
        numbers = _numbers(column.name, column.kind, values)
        filled = np.where(np.isnan(numbers), column.fill, numbers)
        blocks = [np.clip((filled - column.centre) / column.deviation, -CLIP, CLIP)]
    if column.indicator:
        blocks.append(values.isna().to_numpy(np.float64) - column.missing)
    return np.stack(blocks, axis=1).astype(np.float32)


def _one_hot(column: Column, values: pd.Series) -> list[np.ndarray]:
    text = as_text(values)
    place = pd.Index(column.levels).get_indexer(pd.Index(text))
    blocks = [(place == number).astype(np.float64) for number in range(len(column.levels))]
    if column.pooled:
        blocks.append(((place < 0) & text.notna().to_numpy()).astype(np.float64))
    return blocks
