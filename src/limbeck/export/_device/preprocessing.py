"""What came in → the numbers that the network reads, by what was learnt on the source. NumPy alone."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["PREPARE", "Cell", "prepare"]

Cell = str | float | int | bool | None
Columns = Mapping[str, Sequence[Cell]]

MISSING = {*("", "?", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "#N/A", "#N/A N/A", "#NA")} | {
    *("-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN")
}
TRUTH = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|infinity)", re.IGNORECASE)
WHOLE = re.compile(r"[-+]?\d+")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
WORD = re.compile(r"\b\w+(?:['’]\w+)?\b")
EPOCH = datetime.datetime(1970, 1, 1)
DAY = datetime.timedelta(days=1)
CLIP = 5.0
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32).reshape(1, 3, 1, 1)


def prepare(state: Mapping[str, Any], inputs: Any) -> np.ndarray:
    """The network's inputs, float32 [n, ...]; `ValueError` says what does not fit.

    state: what preprocessing.json holds. inputs: for a table and for texts the columns by name, each a list of n
    cells (text as in a CSV file, or numbers, truth values and None); else an array [n, ...].

    >>> prepare({"kind": "vectors", "mean": [1.0], "deviation": [2.0]}, np.array([[5.0]])).tolist()
    [[2.0]]
    """
    return PREPARE[state["kind"]](state, inputs)


def _table(state: Mapping[str, Any], columns: Columns) -> np.ndarray:
    absent = [one["name"] for one in state["columns"] if one["name"] not in {*columns, *state["lacking"]}]
    if absent:
        raise ValueError(f"The columns {', '.join(map(repr, absent))} are read, and are not here.")
    rows = len(next(iter(columns.values())))
    if not rows:
        raise ValueError("There are no rows.")
    blocks: list[np.ndarray] = []
    for column in state["columns"]:
        cells = _cells(columns.get(column["name"], [None] * rows))
        if column["kind"] == "category":
            blocks += _levels(column, cells)
        else:
            numbers = np.array([_number(column, cell) for cell in cells])
            filled = np.where(np.isnan(numbers), column["fill"], numbers)
            blocks.append(np.clip((filled - column["centre"]) / column["deviation"], -CLIP, CLIP))
        if column["indicator"]:
            blocks.append(np.array([cell is None for cell in cells]) - column["missing"])
    return np.stack(blocks, axis=1).astype(np.float32)


def _cells(values: Sequence[Cell]) -> list[str | None]:
    """Cells as text, None where one is missing."""
    texts = [None if value is None else str(value).strip() for value in values]
    return [None if text in MISSING else text for text in texts]


def _number(column: Mapping[str, Any], cell: str | None) -> float:
    if cell is None:
        return float("nan")
    if column["kind"] == "date":
        known, noun = _days(cell), "dates (YYYY-MM-DD)"
    else:
        known, noun = TRUTH.get(cell, float(cell) if NUMBER.fullmatch(cell) else None), "numbers"
    if known is None:
        raise ValueError(f"Column {column['name']!r} holds {noun} in the source, and here it holds {cell!r}.")
    if np.isinf(known):
        raise ValueError(f"Column {column['name']!r} holds infinite values.")
    return known


def _days(cell: str) -> float | None:
    """Days since 1970 of an ISO 8601 date, in UTC where it names a zone."""
    if not DATE.fullmatch(cell):
        return None
    try:
        moment = datetime.datetime.fromisoformat(cell)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)  # noqa: UP017 - Python 3.10 too
    return (moment - EPOCH) / DAY


def _levels(column: Mapping[str, Any], cells: Sequence[str | None]) -> list[np.ndarray]:
    """One input a level, and one for all other levels where the source had such."""
    known = set(column["levels"])
    named = [cell if cell in known else even for cell, even in zip(cells, _uniform(cells), strict=True)]
    blocks = [np.array([cell == level for cell in named], dtype=np.float64) for level in column["levels"]]
    if column["pooled"]:
        blocks.append(np.array([cell is not None and cell not in known for cell in named], dtype=np.float64))
    return blocks


def _uniform(cells: Sequence[str | None]) -> Sequence[str | None]:
    """A column of numbers is written in one way, as its level was learnt: 1, 01 and 1.0 are the same."""
    known = [cell for cell in cells if cell is not None]
    if known and all(cell in TRUTH for cell in known):
        return [cell and str(bool(TRUTH[cell])) for cell in cells]
    if not known or not all(NUMBER.fullmatch(cell) for cell in known):
        return cells
    if len(known) == len(cells) and all(WHOLE.fullmatch(cell) for cell in known):
        return [str(int(cell)) for cell in known]
    return [cell and _plain(float(cell)) for cell in cells]


def _plain(number: float) -> str:
    return f"{number:.0f}" if number.is_integer() else str(number)


def _text(state: Mapping[str, Any], columns: Columns) -> np.ndarray:
    """Counts of the vocabulary's words, weighed as tf-idf of length 1 where the source's were."""
    absent = [name for name in state["columns"] if name not in columns]
    if absent:
        raise ValueError(f"The columns {', '.join(map(repr, absent))} are read, and are not here.")
    settings, place = state["words"], {word: number for number, word in enumerate(state["vocabulary"])}
    cells = zip(*(_cells(columns[name]) for name in state["columns"]), strict=True)
    texts = ["\n".join(filter(None, row)) for row in cells]
    if not texts or not all(texts):
        raise ValueError(f"Row {texts.index('') + 1 if texts else 1} has no text.")
    weights = np.zeros((len(texts), len(place)))
    for row, text in zip(weights, texts, strict=True):
        for word, times in Counter(_grams(text.lower(), settings["ngrams"])).items():
            if word in place:
                row[place[word]] = 1 if settings["weights"] == "binary" else times
    if settings["weights"] == "tfidf":
        if settings["sublinear"]:
            weights[weights > 0] = 1 + np.log(weights[weights > 0])
        weights *= np.array(state["idf"])
        length = np.linalg.norm(weights, axis=1, keepdims=True)
        weights /= np.where(length > 0, length, 1)
    return weights.astype(np.float32)


def _grams(text: str, longest: int) -> list[str]:
    words = WORD.findall(text)
    return [" ".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1)]


def _vectors(state: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    width = len(state["mean"])
    if values.ndim != 2 or values.shape[1] != width or values.dtype.kind not in "biuf":
        raise ValueError(f"Vectors are numbers [n, {width}]. Got {values.dtype} {list(values.shape)}.")
    _check_finite(values)
    return ((values.astype(np.float64) - state["mean"]) / np.array(state["deviation"])).astype(np.float32)


def _check_finite(values: np.ndarray) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("The inputs hold NaN or infinity. Remove those rows or fill the gaps.")


def _images(state: Mapping[str, Any], images: np.ndarray) -> np.ndarray:
    """One number of channels and one size, each channel centred and divided by its deviation."""
    if images.ndim not in (3, 4) or images.dtype.kind not in "biuf" or 0 in images.shape:
        got = f"{images.dtype} {list(images.shape)}"
        raise ValueError(f"Images are numbers [n, h, w], [n, channels, h, w] or [n, h, w, channels]. Got {got}.")
    _check_finite(images)
    if images.dtype.kind == "b":
        images = images.astype(np.uint8) * np.uint8(255)
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.dtype.kind == "f" and state["divisor"] != 1 and images.max() > 2:
        raise ValueError(f"The source's pixels lie in [0, 1] or are bytes, and here are floats up to {images.max():g}.")
    even = images.astype(np.float32) / np.float32(state["divisor"] if images.dtype == np.uint8 else 1)
    even = _recoloured(even, state["channels"])
    for axis, size in zip((3, 2), reversed(state["shape"]), strict=True):
        if even.shape[axis] != size:
            even = np.moveaxis(np.moveaxis(even, axis, 3) @ _resizing(even.shape[axis], size).T, 3, axis)
    mean, deviation = (np.array(state[name], dtype=np.float32).reshape(1, -1, 1, 1) for name in ("mean", "deviation"))
    return np.ascontiguousarray((even - mean) / deviation)


def _recoloured(images: np.ndarray, channels: int) -> np.ndarray:
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return np.repeat(images, channels, axis=1)
    if images.shape[1] == 3 and channels == 1:
        return (images * LUMA).sum(axis=1, keepdims=True)
    raise ValueError(f"The source's images have {channels} channels, these have {images.shape[1]}.")


def _resizing(size: int, wanted: int) -> np.ndarray:
    """The matrix [wanted, size] of bilinear resizing with antialias: a triangle that is as wide as one new pixel."""
    scale = size / wanted
    centres = (np.arange(wanted) + 0.5)[:, None] * scale
    apart = (np.arange(size) + 0.5)[None] - centres
    weights = np.maximum(0, 1 - np.abs(apart) / max(scale, 1))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


PREPARE: dict[str, Callable[[Mapping[str, Any], Any], np.ndarray]] = {
    "table": _table,
    "text": _text,
    "vectors": _vectors,
    "images": _images,
}
"""How each kind of preprocessing is applied."""
