"""What a student reads, in words and as an example, from the saved state of its preprocessing."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from limbeck.core.tables import pd
from limbeck.export._device.preprocessing import Cell

__all__ = ["cells", "described", "example", "is_tabular"]


def is_tabular(state: Mapping[str, Any]) -> bool:
    """Whether inputs are rows with named columns; otherwise they are arrays."""
    return "columns" in state


def described(state: Mapping[str, Any]) -> str:
    """What a sample is, in words.

    >>> described({"kind": "vectors", "mean": [0.0, 0.0], "deviation": [1.0, 1.0]})
    'vectors of 2 numbers'
    """
    if state["kind"] == "table":
        return f"rows with the columns {', '.join(column['name'] for column in state['columns'])}"
    if state["kind"] == "text":
        return f"texts in the columns {', '.join(state['columns'])}, as {len(state['vocabulary'])} words"
    if state["kind"] == "images":
        height, width = state["shape"]
        return f"images of {state['channels']} × {height} × {width} pixels, resized where they have others"
    return f"vectors of {len(state['mean'])} numbers"


def example(state: Mapping[str, Any]) -> list[Any]:
    """One sample that is nobody's: the medians and the most frequent levels of a table, zeros of an array."""
    if state["kind"] == "table":
        return [{column["name"]: _typical(column) for column in state["columns"]}]
    if state["kind"] == "text":
        return [dict.fromkeys(state["columns"], " ".join(state["vocabulary"][:3]))]
    if state["kind"] == "images":
        return np.zeros((1, state["channels"], *state["shape"])).tolist()
    return [[0.0] * len(state["mean"])]


def _typical(column: Mapping[str, Any]) -> Cell:
    if column["kind"] == "category":
        return str(column["levels"][0])
    if column["kind"] == "date":
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=round(column["fill"]))).isoformat()
    return float(column["fill"])


def cells(inputs: Any) -> Any:
    """Raw inputs as the device takes them: the columns of a table as lists of cells, an array as it is, in memory.

    >>> cells(pd.DataFrame({"age": [4.0, None], "ward": ["a", None]}))
    {'age': [4.0, None], 'ward': ['a', None]}
    """
    if not isinstance(inputs, pd.DataFrame):
        return inputs[:]
    return {str(name): [_cell(value) for value in inputs[name].astype(object)] for name in inputs}


def _cell(value: Any) -> Cell:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp | datetime.date):
        return value.isoformat()
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if isinstance(plain, bool | int | float) else str(plain)
