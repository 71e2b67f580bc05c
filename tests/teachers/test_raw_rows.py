"""Raw rows go into a tensor and come back as they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import UsageError
from limbeck.teachers._raw_rows import RawRows

FRAME = pd.DataFrame(
    {
        "id": [2**52 + 1, 7, 9],
        "ward": ["b", None, "a"],
        "sick": [True, False, True],
        "level": pd.Categorical(["low", "high", None]),
        "day": pd.to_datetime(["2026-01-02", None, "2025-01-01"]),
        "dose": [0.1, np.nan, -3.0],
    }
)


def test_a_table_comes_back() -> None:
    rows = RawRows(list(FRAME), 6)
    back = rows.table(rows.tensor(FRAME, "near"))
    assert isinstance(back, pd.DataFrame) and list(back) == list(FRAME)
    for name in FRAME:
        same = (back[name].to_numpy(object) == FRAME[name].to_numpy(object)) | FRAME[name].isna().to_numpy()
        assert same.all(), name
        assert (back[name].isna() == FRAME[name].isna()).all()


def test_levels_keep_their_numbers_whatever_comes_later() -> None:
    rows = RawRows(["ward"], 1)
    first = rows.tensor(pd.DataFrame({"ward": ["b", "a"]}), "near")
    second = rows.tensor(pd.DataFrame({"ward": ["c", "a", None]}), "far")
    assert rows.table(first)["ward"].tolist() == ["b", "a"]
    assert rows.table(second)["ward"].tolist()[:2] == ["c", "a"]
    assert rows.table(second[[1]])["ward"].tolist() == ["a"]


def test_columns_go_by_name() -> None:
    rows = RawRows(["dose", "id"], 2)
    assert rows.tensor(FRAME[["id", "ward", "dose"]], "near")[1:, 1].tolist() == [7.0, 9.0]
    assert rows.table(torch.zeros(1, 2, dtype=torch.float64)).columns.tolist() == ["dose", "id"]


def test_a_column_that_is_not_there() -> None:
    rows = RawRows(["dose", "weight"], 2)
    with pytest.raises(UsageError, match="fitted on a column 'weight', which near lacks"):
        rows.tensor(FRAME, "near")
    lenient = rows.tensor(FRAME, "far", strict=False)
    assert lenient[:, 1].isnan().all() and lenient[0, 0] == pytest.approx(0.1)
    with pytest.raises(UsageError, match="'dose', which far lacks"):
        rows.tensor(FRAME[["id"]], "far", strict=False)


def test_arrays_are_flattened_and_counted() -> None:
    rows = RawRows(None, 4)
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    assert rows.table(rows.tensor(images, "near")).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(UsageError, match="fitted on 4 columns, and a row of near has 3"):
        rows.tensor(np.zeros((2, 3)), "near")
