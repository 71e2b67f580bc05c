"""Several sources as one: which row is whose, and what cannot be put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from limbeck.core import UsageError
from limbeck.data import SplitSettings, prepare
from limbeck.data._vectors import VectorPreprocessing
from limbeck.data.arrays import Arrays
from limbeck.data.csv import Csv
from limbeck.data.several import Several
from limbeck.data.text import Text


def arrays(n: int, labels: object = None, width: int = 3, **settings: object) -> Arrays:
    return Arrays(np.full((n, width), n, dtype=np.float64), labels=labels, **settings)


def test_rows_labels_and_groups_stay_together() -> None:
    first = arrays(4, list("abab"), groups=[7, 7, 9, 9], name="first")
    raw = Several([first, arrays(2, list("ba"), name="second"), arrays(1, name="blank")], name="all").load()
    assert raw.name == "all" and raw.inputs[:, 0].tolist() == [4, 4, 4, 4, 2, 2, 1]
    assert raw.labels.tolist() == ["a", "b", "a", "b", "b", "a", None]
    assert raw.groups.tolist() == [0, 0, 1, 1, 2, 3, 4]
    assert raw.notes == ("4 rows are of first, 2 of second, 1 of blank.",)
    assert Several([arrays(2), arrays(3)]).load().labels is None


def test_methods_are_told_which_part_a_source_sample_is_of() -> None:
    first, second = arrays(40, [*"ab" * 19, None, "b"], width=2), arrays(20, list("ab") * 10, width=2)
    raw = Several([first, second]).load()
    assert raw.origins.tolist() == ["arrays"] * 40 + ["arrays 2"] * 20  # equal names are told apart
    source, target, _, _ = prepare(raw, raw, Several([first, second]).preprocessing(), SplitSettings())
    assert source.view().domains.sum(0).tolist() == [39, 20]  # the row without a label is not used
    assert source.view().domains[38].tolist() == [True, False] and source.view().domains[39].tolist() == [False, True]
    assert target.view().domains is None
    assert prepare(Several([first]).load(), raw, first.preprocessing(), SplitSettings())[0].view().domains is None
    assert prepare(first.load(), raw, first.preprocessing(), SplitSettings())[0].view().domains is None


def test_values_classes_and_official_tests() -> None:
    values = Several([arrays(30, np.arange(30) / 7), arrays(2)]).load()
    assert values.kind == "regression" and np.isnan(values.labels[-2:]).all() and values.labels[1] == 1 / 7
    ordered = [arrays(2, ["x", "b"], classes=["x", "b"]), arrays(1, ["b"], classes=["x", "b"])]
    assert Several(ordered).load().classes == ("x", "b")
    assert Several([*ordered, arrays(1, ["b"], classes=["b", "x"])]).load().classes is None


def test_rows_of_parts_without_an_official_test_split_train_and_select(monkeypatch: pytest.MonkeyPatch) -> None:
    part, other = arrays(2, ["a", "b"]), arrays(2, ["a", "b"])
    raw = part.load()
    object.__setattr__(raw, "test", np.array([True, False]))
    monkeypatch.setattr(part, "load", lambda: raw)
    assert Several([part, other]).load().test.tolist() == [True, False, False, False]


def test_the_first_part_says_how_inputs_are_prepared_and_all_rows_are_fitted_on() -> None:
    several = Several([arrays(40, list("ab") * 20, scale="none"), arrays(20, list("ab") * 10)])
    assert several.preprocessing().normalise is False
    several = Several([arrays(40, list("ab") * 20), arrays(20, list("ab") * 10, scale="none")])
    source, _, fitted, _ = prepare(several.load(), several.load(), several.preprocessing(), SplitSettings())
    assert isinstance(fitted, VectorPreprocessing) and 20 < fitted.mean[0] < 40
    assert source.inputs[:40, 0].unique().numel() == source.inputs[40:, 0].unique().numel() == 1


def test_tables_and_texts_are_put_together(tmp_path: Path) -> None:
    pd.DataFrame({"age": [1, 2], "ward": ["x", "y"], "label": ["a", "b"]}).to_csv(tmp_path / "north.csv", index=False)
    pd.DataFrame({"age": [3], "label": ["b"]}).to_csv(tmp_path / "south.csv", index=False)
    raw = Several([Csv(tmp_path / f"{name}.csv", label="label") for name in ("north", "south")]).load()
    assert raw.name == "north and south" and list(raw.inputs) == ["age", "ward"]
    assert raw.inputs["age"].tolist() == [1, 2, 3] and pd.isna(raw.inputs["ward"][2])
    texts = Several([Text(tmp_path / "north.csv", text="ward", label="label", min_df=1)] * 2)
    assert texts.preprocessing().fit(texts.load().inputs).vocabulary == ["x", "y"]


def test_what_cannot_be_put_together_is_named(tmp_path: Path) -> None:
    pd.DataFrame({"age": [1, 2]}).to_csv(tmp_path / "table.csv", index=False)
    table = Csv(tmp_path / "table.csv")
    with pytest.raises(UsageError, match="The 'parts' of several must be a list with at least one data part"):
        Several([])
    with pytest.raises(UsageError, match=r"must have one shape. Got: a \(3,\), b \(4,\)"):
        Several([arrays(2, name="a"), arrays(2, width=4, name="b")]).load()
    with pytest.raises(UsageError, match=r"must have one shape. Got: table a table, arrays"):
        Several([table, arrays(2)]).load()
    with pytest.raises(UsageError, match=r"must be prepared alike. Got TablePreprocessing and VectorPreprocessing"):
        Several([table, arrays(2)]).preprocessing()
    with pytest.raises(UsageError, match="of two kinds: a for classification, b for regression"):
        Several([arrays(2, ["x", "y"], name="a"), arrays(30, np.arange(30) / 7, name="b")]).load()
