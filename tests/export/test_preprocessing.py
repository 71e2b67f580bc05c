"""The device's preprocessing gives the numbers of the training's, which is another program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.data import Preprocessing, read_table, restore_preprocessing
from limbeck.data._images import ImagePreprocessing
from limbeck.data._tables import TablePreprocessing
from limbeck.data._text import TextPreprocessing, Words
from limbeck.data._vectors import VectorPreprocessing
from limbeck.export._device.predict import read
from limbeck.export._device.preprocessing import prepare


def table(seed: int, rows: int = 60) -> pd.DataFrame:
    """Every kind of column: gaps, truth values, dates, whole numbers as names, many levels."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": random.normal(50, 10, rows).round(3),
            "count": random.integers(0, 9, rows),
            "smoker": random.choice([True, False], rows),
            "seen": pd.Timestamp("2024-02-28") + pd.to_timedelta(random.integers(0, 5000, rows), "h"),
            "ward": random.choice(["a", " b", "ö", "no, it is"], rows),
            "mixed": random.choice(["007", "7", "x", "1.0"], rows),
            "many": [f"level {i % 40}" if i % 2 else "usual" for i in range(rows)],
            "empty": random.choice(["yes", None], rows),
            "name": [f"row {i} of {seed}" for i in range(rows)],
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::5, "ward"] = "?"
    return frame


def agree(fitted: Preprocessing, raw: Any, given: Any) -> None:
    found = prepare(fitted.state(), given)
    wanted = fitted.transform(raw).numpy()
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("csv", ";"), ("tsv", "\t"), ("csv.gz", ",")])
def test_a_table_from_a_file(ending: str, separator: str, tmp_path: Path) -> None:
    fitted = TablePreprocessing().fit(read_table(_written(table(0), tmp_path / "near.csv", ",")))
    path = _written(table(1), tmp_path / f"far.{ending}", separator)
    agree(fitted, fitted.read(path), read(path))
    assert len(fitted.columns) == 8


def test_decimal_commas_in_a_file(tmp_path: Path) -> None:
    near = pd.DataFrame({"size": [0.5, 1.25, 2.0, None], "kind": ["a", "b", "a", "b"], "codes": ["1,2", "x", "3", "x"]})
    fitted = TablePreprocessing().fit(near)
    path = tmp_path / "far.csv"
    path.write_text("size;kind;codes\n0,75;a;1,2\n?;b;x\n-1,5;a;3\n")
    assert fitted.read(path)["size"].fillna(0).tolist() == [0.75, 0, -1.5]
    agree(fitted, fitted.read(path), read(path))


def _written(frame: pd.DataFrame, path: Path, separator: str) -> Path:
    frame.to_csv(path, index=False, sep=separator)
    return path


def test_a_column_of_names_that_are_numbers_reads_alike_however_they_are_written() -> None:
    fitted = TablePreprocessing().fit(pd.DataFrame({"code": [1, 2, 3, 2], "also": ["1", "x", "2", "007"]}))
    state = fitted.state() | {"columns": [column | {"kind": "category"} for column in fitted.state()["columns"]]}
    state["columns"][0] |= {"levels": ["1", "2"]}
    for given in (["01", "2.0"], [1, 2], ["1", "+2"]):
        found = prepare(state, {"code": given, "also": ["007", "x"]})
        assert found[:, :2].tolist() == [[1, 0], [0, 1]], given
    assert prepare(state, {"code": [None, "3"], "also": ["007", None]})[:, :2].tolist() == [[0, 0], [0, 0]]


def test_what_the_target_lacked_may_be_absent() -> None:
    fitted = TablePreprocessing().fit(pd.DataFrame({"age": [20.0, 40.0], "dose": [1.0, 2.0]}))
    fitted.meet(pd.DataFrame({"age": [1.0]}))
    agree(fitted, pd.DataFrame({"age": [30.0, None]}), {"age": [30.0, None]})
    with pytest.raises(ValueError, match=r"The columns 'age' are read, and are not here"):
        prepare(fitted.state(), {"dose": [1.0]})


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"age": ["old"], "seen": [None]}, "Column 'age' holds numbers in the source, and here it holds 'old'"),
        ({"age": ["1_0"], "seen": [None]}, "holds '1_0'"),
        ({"age": ["-inf"], "seen": [None]}, "Column 'age' holds infinite values"),
        ({"age": [1e999], "seen": [None]}, "Column 'age' holds infinite values"),
        ({"age": [1], "seen": ["28.2.2024"]}, "Column 'seen' holds dates"),
        ({"age": [1], "seen": ["2024-02-31"]}, "Column 'seen' holds dates"),
        ({"age": [], "seen": []}, "There are no rows"),
    ],
)
def test_a_cell_that_does_not_fit_is_told(cells: dict[str, list[Any]], said: str) -> None:
    fitted = TablePreprocessing().fit(table(0)[["age", "seen"]])
    with pytest.raises(ValueError, match=said):
        prepare(fitted.state(), cells)


def test_dates_count_in_utc() -> None:
    fitted = TablePreprocessing().fit(pd.DataFrame({"seen": ["2024-01-01", "2024-01-03"]}))
    found = prepare(fitted.state(), {"seen": ["2024-01-03T01:00:00+01:00", "2024-01-02 00:00", "2024-01-01"]})
    np.testing.assert_allclose(found[:, 0], [1, 0, -1])


@pytest.mark.parametrize("weights", ["tfidf", "counts", "binary"])
@pytest.mark.parametrize(("ngrams", "sublinear"), [(1, True), (2, False)])
def test_texts(weights: Any, ngrams: int, sublinear: bool, tmp_path: Path) -> None:
    near = pd.DataFrame({"title": ["Good", "Bad", None], "text": ["a good, GOOD film", "don't see it", "it's a film"]})
    far = pd.DataFrame(
        {"title": ["A film", "?", "x"], "text": ["Don’t! good Good film film", "nothing known", "Ärger"]}
    )
    words = Words(weights, ngrams=ngrams, min_df=1, sublinear=sublinear)
    fitted = TextPreprocessing(["title", "text"], words).fit(near)
    path = _written(far, tmp_path / "far.csv", ",")
    agree(fitted, fitted.read(path), read(path))
    with pytest.raises(ValueError, match="Row 2 has no text"):
        prepare(fitted.state(), {"title": ["a", None], "text": ["b", " "]})


@pytest.mark.parametrize("size", [None, 5, 8, 19])
@pytest.mark.parametrize("near", [(1,), (3,), ()], ids=["grey", "colour", "flat"])
@pytest.mark.parametrize("far", [(13, 9), (13, 9, 3), (3, 13, 9), (1, 8, 8)], ids=str)
def test_images(size: int | None, near: tuple[int, ...], far: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    fitted = ImagePreprocessing(size).fit(random.integers(0, 256, (6, *near, 8, 8), dtype=np.uint8))
    for images in (random.integers(0, 256, (4, *far), dtype=np.uint8), random.random((4, *far))):
        agree(fitted, images, images)


def test_images_of_floats_beyond_one_and_of_truth_values() -> None:
    floats = np.random.default_rng(0).normal(100, 30, (5, 6, 6))
    fitted = ImagePreprocessing().fit(floats)
    agree(fitted, floats, floats)
    agree(fitted, floats.astype(np.int64), floats.astype(np.int64))
    agree(ImagePreprocessing().fit(floats > 90), floats > 100, floats > 100)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((2, 5)), "Images are numbers"),
        (np.zeros((2, 5, 5), dtype="U1"), "Images are numbers"),
        (np.full((2, 5, 5), np.nan), "NaN or infinity"),
        (np.full((2, 5, 5), 200.0), "bytes, and here are floats up to 200"),
        (np.zeros((2, 4, 5, 5), dtype=np.uint8), "have 1 channels, these have 4"),
    ],
)
def test_images_that_do_not_fit_are_told(images: np.ndarray, said: str) -> None:
    fitted = ImagePreprocessing().fit(np.arange(50, dtype=np.uint8).reshape(2, 5, 5))
    with pytest.raises(ValueError, match=said):
        prepare(fitted.state(), images)


def test_vectors() -> None:
    random = np.random.default_rng(0)
    fitted = VectorPreprocessing().fit(random.normal(3, 2, (50, 4)))
    far = random.normal(0, 9, (7, 4))
    agree(fitted, far, far)
    for wrong, said in ((far[:, :3], r"Vectors are numbers \[n, 4\]"), (far * np.inf, "NaN or infinity")):
        with pytest.raises(ValueError, match=said):
            prepare(fitted.state(), wrong)


def test_every_kind_that_can_be_saved_runs_on_a_device() -> None:
    from limbeck.data._prepare import KINDS
    from limbeck.export._device.preprocessing import PREPARE

    assert set(PREPARE) == set(KINDS)
    assert restore_preprocessing(VectorPreprocessing().fit(np.zeros((2, 1))).state()) is not None
