from __future__ import annotations

from limbeck.core.tables import pd

__all__ = ["days"]


def days(values: pd.Series) -> pd.Series:
    """Days since 1970 of ISO 8601 dates, NaN for anything else."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        iso = values.astype(str).str.fullmatch(r"\s*\d{4}-\d{2}-\d{2}([T ].*)?")
        values = pd.to_datetime(values.where(iso), errors="coerce", format="ISO8601", utc=True)
    elif values.dt.tz is not None:
        values = values.dt.tz_convert("UTC")
    stamps = values.dt.tz_localize(None)
    return (stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
