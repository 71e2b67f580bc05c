"""Rows that lack what another table's rows lack: which cells, how often, and what else stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from limbeck.core import UsageError
from limbeck.data import SplitSettings, prepare
from limbeck.data.arrays import Arrays
from limbeck.data.csv import Csv
from limbeck.data.lacking import Lacking

COUNT = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Complete rows, and three of which the first lacks a, the second lacks b and c, and the third nothing."""
    rows = {"a": np.arange(COUNT), "b": ["x", "y"] * (COUNT // 2), "c": np.arange(COUNT) / 7}
    pd.DataFrame({**rows, "d": 1.0, "kind": ["p", "q"] * (COUNT // 2)}).to_csv(tmp_path / "whole.csv", index=False)
    pd.DataFrame({"c": [1, None, 2], "b": ["z", None, "z"], "a": [None, 0, 0], "e": 5}).to_csv(
        tmp_path / "holed.csv", index=False
    )
    return tmp_path


def lacking(folder: Path, **settings: int) -> Lacking:
    return Lacking(Csv(folder / "whole.csv", label="kind"), Csv(folder / "holed.csv"), **settings)


def test_each_copy_has_the_gaps_of_one_row_and_the_values_of_another(folder: Path) -> None:
    raw, whole = lacking(folder, copies=60).load(), Csv(folder / "whole.csv", label="kind").load()
    assert raw.labels.tolist() == whole.labels.tolist() * 60
    gaps = raw.inputs.isna()
    assert gaps["d"].all()  # the other table has no such column
    patterns = gaps[["a", "b", "c"]].value_counts(normalize=True)
    assert set(patterns.index) == {(True, False, False), (False, True, True), (False, False, False)}
    assert np.abs(patterns - 1 / 3).max() < 4 * np.sqrt(2 / 9 / len(raw))  # each as likely as the others
    repeated = pd.concat([whole.inputs] * 60, ignore_index=True)
    for name in "abc":
        assert (raw.inputs[name].isna() | (raw.inputs[name] == repeated[name])).all()
    assert raw.notes[-1].endswith("lacks what rows of holed lack: a 33%, b 33%, c 33%, d 100%.")


def test_the_draws_are_the_seeds(folder: Path) -> None:
    first, again, other = (lacking(folder, seed=seed).load().inputs for seed in (0, 0, 1))
    assert first.equals(again) and not first.equals(other)


def test_copies_of_a_row_stay_in_one_split(folder: Path) -> None:
    part = lacking(folder, copies=4)
    raw = part.load()
    source, _, fitted, _ = prepare(raw, raw, part.preprocessing(), SplitSettings())
    assert fitted.unused["d"] == "it is empty on the source"
    places = [set(rows % COUNT) for rows in source.splits.values()]
    assert sum(map(len, places)) == len(set.union(*places)) == COUNT


def test_groups_and_an_official_test_split_are_kept(folder: Path) -> None:
    rows = Csv(folder / "whole.csv", label="kind", group="a", test={"b": "x"})
    raw = Lacking(rows, Csv(folder / "holed.csv"), copies=2).load()
    assert raw.groups.tolist() == rows.load().groups.tolist() * 2
    assert raw.test.tolist() == [True, False] * COUNT
    assert Lacking(Csv(folder / "holed.csv"), Csv(folder / "holed.csv"), copies=1).load().labels is None


def test_bad_input_is_named(folder: Path) -> None:
    pd.DataFrame({"z": [1]}).to_csv(folder / "strange.csv", index=False)
    whole, array = Csv(folder / "whole.csv", label="kind"), Arrays(np.zeros((3, 2)), name="scan")
    with pytest.raises(UsageError, match=r"The 'copies' of lacking must be ≥ 1\. Got 0\."):
        Lacking(whole, whole, copies=0)
    with pytest.raises(UsageError, match=r"The 'like' of lacking must be a table .* scan holds an array \[3, 2\]"):
        Lacking(whole, array).load()
    with pytest.raises(UsageError, match="The 'rows' of lacking must be a table"):
        Lacking(array, whole).load()
    with pytest.raises(UsageError, match=r"share no column\. They have: a, b, c, d; and: z\."):
        Lacking(whole, Csv(folder / "strange.csv")).load()
