"""Tables to numbers: every kind of column, and targets that differ from the source."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from limbeck.core import UsageError
from limbeck.data._tables import CLIP, TablePreprocessing
from limbeck.data._values import as_text


def fitted(**columns) -> TablePreprocessing:
    return TablePreprocessing().fit(pd.DataFrame(columns))


def made(preprocessing: TablePreprocessing, **columns) -> np.ndarray:
    return preprocessing.transform(pd.DataFrame(columns)).numpy()


def test_numbers_and_categories_equal_scikit_learn() -> None:
    random = np.random.default_rng(0)
    numbers, wards = random.normal(50, 9, 200), random.choice(list("abc"), 200)
    inputs = made(fitted(age=numbers, ward=wards), age=numbers, ward=wards)
    assert np.allclose(inputs[:, 0], StandardScaler().fit_transform(numbers[:, None])[:, 0], atol=1e-6)
    hot = OneHotEncoder(sparse_output=False).fit_transform(wards[:, None])
    assert sorted(inputs[:, 1:].T.tolist()) == sorted(hot.T.tolist())


def test_a_missing_number_becomes_the_median() -> None:
    numbers = np.r_[np.arange(99.0), np.nan]  # 1 % is too rare for an input of its own
    inputs = made(fitted(a=numbers), a=[np.nan, 49.0])
    assert inputs.shape == (2, 1)
    assert inputs[0] == inputs[1]


def test_often_missing_has_an_input_centred_on_the_source() -> None:
    numbers = np.where(np.arange(100) % 4 == 0, np.nan, np.arange(100.0))
    preprocessing = fitted(a=numbers)
    inputs = made(preprocessing, a=numbers)
    assert inputs.shape == (100, 2)
    assert abs(inputs[:, 1].mean()) < 1e-6
    assert set(np.round(inputs[:, 1], 6)) == {-0.25, 0.75}


def test_a_column_that_the_target_lacks_gives_the_same_as_an_empty_one() -> None:
    preprocessing = fitted(a=np.arange(20.0), ward=list("xy") * 10, b=np.arange(20) % 7)
    empty = made(preprocessing, a=[np.nan] * 3, ward=[None] * 3, b=[1, 2, 3])
    frame = pd.DataFrame({"b": [1, 2, 3], "city": ["k", "l", "m"]})
    assert (preprocessing.transform(frame).numpy() == empty).all()
    assert np.isfinite(empty).all() and (empty[:, 1:3] == 0).all()
    assert preprocessing.meet(frame) == [
        "Column 'a' is not here: its values count as missing.",
        "Column 'ward' is not here: its values count as missing.",
        "Column 'city' is not in the source and not used.",
    ]
    with pytest.raises(UsageError, match=r"No column of the source is here. The source has: a, ward, b. Here are: q"):
        made(preprocessing, q=[1])


def test_outliers_of_the_target_end_at_the_limit() -> None:
    preprocessing = fitted(a=np.arange(20.0))
    assert made(preprocessing, a=[1e9, -1e300]).tolist() == [[CLIP], [-CLIP]]


def test_text_of_many_values_is_told() -> None:
    """Such as a date in a way that is not read, or a number with units."""
    days = [f"{day:02}/{month:02}/2020" for month in range(1, 5) for day in range(1, 29)] * 2
    fitted = TablePreprocessing().fit(pd.DataFrame({"day": days, "sex": ["m", "f"] * 112}))
    (note,) = fitted.notes
    assert note.startswith("Column 'day' is text with more than 30 values") and "read as YYYY-MM-DD" in note


def test_numbers_among_which_a_text_stands_are_told() -> None:
    """A gap that has a name of its own turns the whole column into text."""
    some, many = [*map(str, range(9)), "n/a"] * 3, [*map(str, range(27)), "n/a", "?", "-"]
    frame = pd.DataFrame({"some": some, "many": many, "rank": ["low", "2", "high"] * 10})
    notes = TablePreprocessing().fit(frame).notes
    assert [note.split("'")[1] for note in notes if "though most of its values are numbers" in note] == ["some", "many"]
    assert all("name the others in 'missing'" in note for note in notes) and len(notes) == 2


def test_unknown_levels_are_zeros_or_join_the_pooled_ones() -> None:
    assert made(fitted(a=list("xyxy")), a=["new", None]).tolist() == [[0, 0], [0, 0]]
    levels = [f"l{number}" for number in range(40) for _ in range(40 - number)]
    inputs = made(fitted(a=levels), a=["l0", "l35", "new", None])
    assert inputs.shape == (4, 31)
    assert inputs.argmax(1)[:3].tolist() == [0, 30, 30]
    assert inputs.sum(1).tolist() == [1, 1, 1, 0]


def test_columns_of_no_use_are_left_out_and_named() -> None:
    preprocessing = fitted(
        a=np.arange(50.0),
        same=[7.5] * 50,
        word=["w"] * 50,
        empty=[None] * 50,
        identity=[f"patient {number}" for number in range(50)],
    )
    assert [column.name for column in preprocessing.columns] == ["a"]
    assert preprocessing.notes == [
        "Column 'same' is not used: it is constant (7.5) on the source.",
        "Column 'word' is not used: it is constant (w) on the source.",
        "Column 'empty' is not used: it is empty on the source.",
        "Column 'identity' is not used: its text differs in nearly every row.",
    ]
    assert preprocessing.meet(pd.DataFrame({"a": [1.0], "same": [2]})) == []
    with pytest.raises(UsageError, match=r"no column to learn from. Column 'same'"):
        fitted(same=[1, 1])


def test_a_constant_that_is_often_missing_tells_by_its_absence() -> None:
    inputs = made(fitted(a=[3.0, np.nan] * 10), a=[3.0, np.nan, 9.0])
    assert inputs[:, 1].tolist() == [-0.5, 0.5, -0.5]
    assert inputs[:2, 0].tolist() == [0, 0]


def test_truth_values_and_dates_are_numbers() -> None:
    preprocessing = fitted(ok=[True, False] * 10, day=[f"2020-01-{day:02d}" for day in range(1, 21)])
    assert [column.kind for column in preprocessing.columns] == ["number", "date"]
    stamps = pd.to_datetime(["2020-01-10", "2020-01-11T00:00:00Z"], format="ISO8601", utc=True)
    texts = made(preprocessing, ok=[True, None], day=["2020-01-10", "2020-01-11"])
    assert (texts == made(preprocessing, ok=[1, None], day=stamps)).all()
    assert texts[1, 1] - texts[0, 1] == pytest.approx(1 / np.arange(20).std(), rel=1e-5)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("age", ["31", "old"], "Column 'age' holds numbers.*'old'"),
        ("day", ["2020-01-01", "yes"], "'day' holds dates.*'yes'"),
    ],
)
def test_text_in_a_column_of_numbers_is_named(column: str, value: list[str], words: str) -> None:
    preprocessing = fitted(age=[1.0, 2.0], day=["2020-01-01", "2020-01-02"])
    with pytest.raises(UsageError, match=words):
        made(preprocessing, **{column: value})


def test_infinite_and_nested_values_are_named() -> None:
    with pytest.raises(UsageError, match="Column 'b' holds infinite"):
        fitted(a=[1.0, 2.0], b=[1.0, np.inf])
    with pytest.raises(UsageError, match="Column 'b' holds infinite"):
        fitted(a=[1.0, 2.0], b=["1.5", "inf"])
    with pytest.raises(UsageError, match="Column 'a' holds infinite"):
        made(fitted(a=[1.0, 2.0]), a=np.array(["1", "-inf"], dtype=object))
    with pytest.raises(UsageError, match="Column 'b' holds lists"):
        fitted(a=[1.0, 2.0], b=[[1], [2]])
    with pytest.raises(UsageError, match="expected, with named columns"):
        TablePreprocessing().fit(np.zeros((3, 2)))


def test_codes_match_whether_they_were_read_as_numbers_or_text() -> None:
    source = fitted(code=["1", "2", "A"] * 5)
    assert (made(source, code=["1", "2"]) == made(source, code=[1, 2])).all()
    assert (made(source, code=["1", None]) == made(source, code=[1.0, np.nan])).all()
    assert as_text(pd.Series([True, None, 2.5, " x "], dtype=object)).tolist() == ["True", None, "2.5", "x"]


def test_read_wants_every_column_and_no_label(tmp_path) -> None:
    preprocessing = fitted(größe=np.arange(9.0), ward=list("xyz") * 3)
    path = tmp_path / "new.csv"
    path.write_text("ward;label;größe\nx;1;3.5\n", encoding="utf-8-sig")
    frame = preprocessing.read(path)
    assert list(frame) == ["größe", "ward"]
    assert torch.isfinite(preprocessing.transform(frame)).all()
    path.write_text("wards,größe\nx,1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"lacks 'ward', which the student reads. Did you mean 'wards'"):
        preprocessing.read(path)


def test_read_does_not_ask_for_a_column_that_the_target_lacked(tmp_path) -> None:
    preprocessing = fitted(age=np.arange(9.0), ward=list("xyz") * 3)
    assert preprocessing.meet(pd.DataFrame({"age": [1.0]})) == [
        "Column 'ward' is not here: its values count as missing."
    ]
    restored = TablePreprocessing.from_state(json.loads(json.dumps(preprocessing.state())))
    (tmp_path / "new.csv").write_text("age\n3\n", encoding="utf-8")
    frame = restored.read(tmp_path / "new.csv")
    assert (restored.transform(frame) == preprocessing.transform(pd.DataFrame({"age": [3.0]}))).all()
    (tmp_path / "new.csv").write_text("ward\nx\n", encoding="utf-8")
    with pytest.raises(UsageError, match="lacks 'age'"):
        restored.read(tmp_path / "new.csv")


def test_a_target_that_lacks_most_values_is_told() -> None:
    preprocessing = TablePreprocessing().fit(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]}))
    assert preprocessing.meet(pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, 1.0]})) == []
    assert preprocessing.meet(pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, np.nan]})) == [
        "Column 'b' is empty here: its values count as missing.",
        "75% of the values are missing and count as the source's median, or as no category.",
    ]


def test_another_scale_is_told_and_matched_by_the_columns_own_numbers() -> None:
    """What only its unit tells apart is the same to the bit; yes and no, categories and absent columns stay."""
    random = np.random.default_rng(0)
    near = pd.DataFrame(
        {
            "weight": random.normal(70, 12, 60),
            "hot": random.normal(37, 0.5, 60),
            "day": pd.date_range("2020-01-01", periods=60),
            "sex": random.integers(0, 2, 60),
            "gone": random.normal(size=60),
        }
    )
    far = near.drop(columns="gone").assign(weight=near["weight"] * 2, hot=near["hot"] * 2 + 32, sex=1)
    fitted = TablePreprocessing().fit(near)
    assert fitted.foreign(near) == [] and fitted.foreign(far) == ["weight", "hot"]
    assert fitted.foreign(near.assign(day=near["day"] + pd.Timedelta(days=3650))) == []  # later, in the same unit
    assert any("another scale than in the source: 'weight', 'hot'." in note for note in fitted.meet(far))
    matched = fitted.matched(far)
    assert not any("another scale" in note for note in matched.meet(far))
    here, there = fitted.transform(near), matched.transform(far)
    names = [column.name for column in fitted.columns]
    for name in ("weight", "hot", "day"):
        assert torch.allclose(here[:, names.index(name)], there[:, names.index(name)], atol=1e-5), name
    assert there[:, names.index("sex")].unique().tolist() == [pytest.approx(float(here[:, names.index("sex")].max()))]
    assert (matched.columns[names.index("gone")], matched.columns[names.index("sex")]) == (
        fitted.columns[names.index("gone")],
        fitted.columns[names.index("sex")],
    )
    again = TablePreprocessing.from_state(json.loads(json.dumps(matched.state())))
    assert again.transform(far).equal(there)


@pytest.mark.parametrize(("factor", "foreign"), [(1.0, False), (3.0, False), (11.0, True), (0.09, True)])
def test_a_scale_is_another_where_it_spreads_ten_times_more_or_less(factor: float, foreign: bool) -> None:
    values = np.random.default_rng(1).normal(size=200)
    fitted = TablePreprocessing().fit(pd.DataFrame({"a": values}))
    assert bool(fitted.foreign(pd.DataFrame({"a": values.mean() + (values - values.mean()) * factor}))) is foreign
