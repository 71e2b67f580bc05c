"""A table from a file: CSV in its dialects, or Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import warnings
import zlib
from pathlib import Path

from limbeck.core import UsageError
from limbeck.core.tables import pd

__all__ = ["expanded", "read_table"]

SEPARATORS = (",", ";", "\t")
DECIMAL = r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?"
UNNAMED = re.compile(r"Unnamed: \d+")
ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet")


def expanded(path: Path) -> Path:
    """The path with `~` and environment variables filled in; `UsageError` where one is not set."""
    text = os.path.expanduser(os.path.expandvars(str(path)))
    unset = re.search(r"\$\{?(\w+)", text)
    if unset:
        raise UsageError(f"The path {str(path)!r} needs the environment variable {unset[1]}, which is not set.")
    return Path(text)


def read_table(path: Path) -> pd.DataFrame:
    """Rows of a .csv (.csv.gz, .tsv, .txt) or .parquet file.

    The separator is the one of comma, semicolon and tab that the header has most of. UTF-8, with
    or without a mark at its start. Empty cells, NA, NaN, null and "?" are missing values. Where the separator is
    no comma, a column of numbers such as 0,4 has decimal commas. A column without a name, or one called
    "Unnamed: 0", which is where programs write row numbers, is left out. `UsageError` says what is wrong
    with the file, and in which line.
    """
    path = expanded(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a file in it.")
    if not path.exists():
        raise UsageError(f"There is no file {path}. A path that is not absolute starts at {Path.cwd()}.")
    if not path.name.lower().endswith(ENDINGS):
        raise UsageError(f"{path} must end in one of {', '.join(ENDINGS)}: the ending says how it is read.")
    frame = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path)
    frame = frame[[name for name in map(str, frame) if name and not UNNAMED.fullmatch(name)]]
    if not len(frame):
        raise UsageError(f"{path} has a header and no rows.")
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise UsageError(f"{path} is not a whole Parquet file: {error}") from error
    return frame.reset_index(drop=True).rename(columns=str)


def _read_text(path: Path) -> pd.DataFrame:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not text.strip():
        raise UsageError(f"{path} is empty.")
    separator = max(SEPARATORS, key=re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0]).count)
    header = _checked_header(path, text, separator)
    frame = _parsed(path, text, separator)
    frame.columns = pd.Index(header)
    return frame if separator == "," else frame.transform(_with_points)


def _parsed(path: Path, text: str, separator: str) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                io.StringIO(text),
                sep=separator,
                skipinitialspace=True,
                na_values=["?"],
                index_col=False,
                low_memory=False,
            )
        except (ValueError, OverflowError, pd.errors.ParserWarning) as error:  # ParserError is a ValueError
            raise UsageError(f"{path} is not a table: {error}") from error


def _with_points(values: pd.Series) -> pd.Series:
    """A column of decimal commas as numbers, any other as it is."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    text = values.dropna().astype(str).str.strip()
    if not len(text) or not text.str.fullmatch(DECIMAL).all():
        return values
    return pd.to_numeric(values.astype(str).str.replace(",", ".").where(values.notna()))


def _checked_header(path: Path, text: str, separator: str) -> list[str]:
    """The column names; `UsageError` where one stands twice or a line has another number of cells."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        header: list[str] = []
        for cells in lines:
            if not cells:
                continue
            if not header:
                header = [name.strip() for name in cells]
            elif len(cells) != len(header):
                raise UsageError(
                    f"{path}, line {lines.line_num}: {len(cells)} cells, and the header has {len(header)} "
                    f"(separated by {separator!r})."
                )
    except csv.Error as error:
        raise UsageError(f"{path}, line {lines.line_num}: {error}.") from error
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise UsageError(f"{path} has more than one column named {', '.join(map(repr, twice))}. Rename them.")
    if not any(header):
        raise UsageError(f"{path} has no column names in its first line.")
    return header
