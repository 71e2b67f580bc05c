"""The values of a table's column: as text, as days, and whether they are numbers."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from limbeck.core.tables import pd

__all__ = ["as_text", "days", "mostly_numbers"]


def as_text(values: pd.Series) -> pd.Series:
    """Values as text, whole floats without their .0, missing ones as None.

    >>> as_text(pd.Series([1.0, np.nan, 2.5])).tolist()
    ['1', None, '2.5']
    """
    numbers, distinct = pd.factorize(values)  # a missing one is -1, and so takes the None at the end
    if pd.api.types.is_float_dtype(values):
        text = [f"{value:.0f}" if float(value).is_integer() else str(float(value)) for value in distinct]
    else:
        text = [str(value).strip() for value in distinct]
    return pd.Series(np.array([*text, None], dtype=object)[numbers], index=values.index, dtype=object)


def days(values: pd.Series) -> pd.Series:
    """Days since 1970 of ISO 8601 dates, NaN for anything else."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        iso = values.astype(str).str.fullmatch(r"\s*\d{4}-\d{2}-\d{2}([T ].*)?")
        values = pd.to_datetime(values.where(iso), errors="coerce", format="ISO8601", utc=True)
    elif values.dt.tz is not None:
        values = values.dt.tz_convert("UTC")
    stamps = values.dt.tz_localize(None)
    return (stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)


def mostly_numbers(texts: Collection[str]) -> bool:
    """Whether more than half of these different texts are numbers, so that the others may stand for a missing one.

    >>> mostly_numbers(["1", "2.5", "n/a"]), mostly_numbers(["1", "two"]), mostly_numbers([])
    (True, False, False)
    """
    return bool(len(texts)) and float(pd.to_numeric(pd.Series(list(texts)), errors="coerce").notna().mean()) > 0.5
