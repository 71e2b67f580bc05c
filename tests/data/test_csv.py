"""The csv part: labels, groups and domains of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.data import SplitSettings, prepare
from limbeck.data.csv import Csv

TEXT = """hospital,patient,age,note,sick
bonn,p1,40,x,0
bonn,p1,41,y,2
kiel,p2,60,x,1
kiel,,61,y,
kiel,,62,x,0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "wards.csv").write_text(TEXT)
    return tmp_path / "wards.csv"


def test_label_where_group_and_drop_are_no_features(path: Path) -> None:
    raw = Csv(path, label="sick > 0", where={"hospital": "kiel"}, group="patient", drop=["note"]).load()
    assert list(raw.inputs) == ["age"]
    assert raw.inputs["age"].tolist() == [60, 61, 62]
    assert raw.labels.tolist() == ["sick > 0", None, "sick <= 0"]
    assert raw.classes == ("sick <= 0", "sick > 0")
    assert len(set(raw.groups)) == 3  # two rows without a patient are groups of their own
    assert raw.notes == ("2 rows without a value in 'patient' are a group each.",)
    assert raw.name == "kiel"


def test_names_come_from_the_file_the_rows_or_the_user(path: Path) -> None:
    assert Csv(path).name == "wards"
    assert Csv("a/b.csv.gz").name == "b"
    assert Csv(path, where={"age": 40.0}).name == "40"
    assert Csv(path, name="north").load().name == "north"


def test_where_finds_numbers_however_they_are_written(path: Path) -> None:
    for value in (40.0, "40"):
        assert len(Csv(path, where={"age": value}).load()) == 1
    with pytest.raises(UsageError, match=r"No row of .* has hospital = 'bon'. Did you mean 'bonn'"):
        Csv(path, where={"hospital": "bon"}).load()


def test_labels_by_column_mapping_and_task(path: Path) -> None:
    assert Csv(path).load().labels is None
    assert Csv(path, label="sick").load().labels.tolist() == ["0", "2", "1", None, "0"]
    regressed = Csv(path, label="sick", task="regression").load()
    assert regressed.kind == "regression" and np.isnan(regressed.labels[3])
    mapped = Csv(path, label="sick > 0", mapping={"sick > 0": "ill", "sick <= 0": "well"}).load()
    assert mapped.classes == ("well", "ill") and mapped.labels.tolist() == ["well", "ill", "ill", None, "well"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"label": "sik"}, "The 'label' of csv names the column 'sik'.*Did you mean 'sick'"),
        ({"label": "sik > 0"}, "names the column 'sik'.*Did you mean 'sick'"),
        ({"where": {"clinic": "x"}}, "The 'where' of csv names the column 'clinic'"),
        ({"group": "patients"}, "The 'group' of csv.*Did you mean 'patient'"),
        ({"drop": ["notes"]}, "The 'drop' of csv.*Did you mean 'note'"),
        ({"label": "sick > 0", "task": "regression"}, "makes two classes"),
        ({"label": "sick", "mapping": {"0": "well"}}, "does not say what '1', '2' is"),
        ({"label": "sick", "drop": ["hospital", "patient", "age", "note"]}, "is left .* the data part text"),
    ],
)
def test_what_is_not_there_is_named(path: Path, settings: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Csv(path, **settings).load()


@pytest.mark.parametrize(("hospital", "shares"), [("hungary", 0.36), ("switzerland", 0.93), ("va_long_beach", 0.75)])
def test_hospitals_with_empty_columns_can_be_prepared(data_root: Path, hospital: str, shares: float) -> None:
    parts = [Csv(data_root / "heart_disease" / f"{name}.csv", label="num > 0") for name in ("cleveland", hospital)]
    source, target, _, task = prepare(*(part.load() for part in parts), parts[0].preprocessing(), SplitSettings())
    assert task.classes == ("num <= 0", "num > 0")
    assert source.shape == target.shape == (13,)
    assert target.inputs.isfinite().all() and target.inputs.abs().max() <= 5
    assert target.open("test", "test").float().mean().item() == pytest.approx(shares, abs=0.03)


def test_an_official_test_split_and_values_that_stand_for_missing_ones(path: Path) -> None:
    raw = Csv(path, label="sick > 0", test={"hospital": "kiel"}, missing={"age": 41, "note": "y"}).load()
    assert raw.test.tolist() == [False, False, True, True, True] and "hospital" not in raw.inputs
    assert raw.inputs["age"].isna().tolist() == [False, True, False, False, False]
    assert raw.inputs["note"].isna().tolist() == [False, True, False, True, False]
    assert Csv(path).load().test is None
    with pytest.raises(UsageError, match=r"No row of .* has hospital = 'keil'. Did you mean 'kiel'"):
        Csv(path, test={"hospital": "keil"}).load()
    with pytest.raises(UsageError, match="The 'missing' of csv names the column 'aeg'"):
        Csv(path, missing={"aeg": 0}).load()
