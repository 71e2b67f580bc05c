"""Raw rows as a tensor and back: what a model from elsewhere reads, through stores that hold tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from limbeck.core import UsageError, did_you_mean
from limbeck.core.tables import pd

__all__ = ["RawRows"]


class RawRows:
    """The columns that a model was fitted on, by name, or a number of them; texts travel as numbers of levels.

    Numbers keep all their digits. A missing value is NaN on both sides.

    >>> rows = RawRows(["age", "ward"], 2)
    >>> frame = pd.DataFrame({"ward": ["b", None], "age": [40, 50], "more": 0})
    >>> rows.tensor(frame, "clinic").tolist()
    [[40.0, 0.0], [50.0, nan]]
    >>> rows.table(rows.tensor(frame, "clinic")).values.tolist()
    [[40.0, 'b'], [50.0, nan]]
    """

    def __init__(self, names: list[str] | None, width: int | None):
        self.names = names
        self.width = width
        self.levels: dict[int, dict[Any, int]] = {}

    def tensor(self, raw: Any, owner: str, strict: bool = True) -> Float64[Tensor, "n columns"]:
        """Raw inputs of a domain; strict: a column that is not there is a fault, otherwise its values are missing."""
        if not isinstance(raw, pd.DataFrame):
            columns = torch.from_numpy(np.asarray(raw[:], dtype=np.float64)).flatten(1)
        else:
            series = [raw[name] for name in raw] if self.names is None else self._named(raw, owner, strict)
            coded = [self._coded(place, values) for place, values in enumerate(series)]
            columns = torch.from_numpy(np.stack(coded, axis=1))
        if self.width is not None and columns.shape[1] != self.width:
            raise UsageError(
                f"The estimator was fitted on {self.width} columns, and a row of {owner} has {columns.shape[1]}."
            )
        return columns

    def table(self, rows: Float64[Tensor, "n columns"]) -> pd.DataFrame | np.ndarray:
        """What `tensor` made, as the model wants it: a data frame where it knows names, or where there are texts."""
        values = rows.cpu().numpy()
        if self.names is None and not self.levels:
            return values
        columns = [self._decoded(place, column) for place, column in enumerate(values.T)]
        return pd.DataFrame(dict(enumerate(columns))).set_axis(self.names or range(len(columns)), axis=1)

    def _named(self, raw: pd.DataFrame, owner: str, strict: bool) -> list[pd.Series]:
        assert self.names is not None
        absent = [name for name in self.names if name not in raw]
        if absent and (strict or len(absent) == len(self.names)):
            hint = did_you_mean(absent[0], map(str, raw.columns))
            raise UsageError(f"The estimator was fitted on a column {absent[0]!r}, which {owner} lacks. {hint}")
        return [raw[name] if name in raw else pd.Series(np.nan, index=raw.index) for name in self.names]

    def _coded(self, place: int, values: pd.Series) -> np.ndarray:
        if pd.api.types.is_numeric_dtype(values) and place not in self.levels:  # truth values too
            return values.to_numpy(np.float64, na_value=np.nan)
        if values.isna().all():
            return np.full(len(values), np.nan)
        levels = self.levels.setdefault(place, {})
        for level in values.dropna().unique():
            levels.setdefault(level, len(levels))
        return values.astype(object).map(levels).to_numpy(np.float64, na_value=np.nan)

    def _decoded(self, place: int, column: np.ndarray) -> np.ndarray:
        if place not in self.levels:
            return column
        names = np.array([*self.levels[place], np.nan], dtype=object)  # a missing one takes the last
        return names[np.where(np.isnan(column), -1, column).astype(np.int64)]
