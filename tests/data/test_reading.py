"""Tables from files: dialects, and files that are no tables."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from limbeck.core import UsageError
from limbeck.data._reading import expanded, read_table

FRAME = pd.DataFrame({"größe": [1.5, None], "a b": ["x", "y, z"], "ok": [True, False]})


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_every_dialect_gives_the_same_table(tmp_path: Path, separator: str, encoding: str, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, sep=separator, encoding=encoding, index=False)
    pd.testing.assert_frame_equal(read_table(path), FRAME, check_dtype=False)


def test_blank_lines_question_marks_and_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\r\n,a, b\r\n0,?,2\r\n\r\n1,3,NA\r\n")
    frame = read_table(path)
    assert list(frame) == ["a", "b"]
    assert frame.isna().to_numpy().tolist() == [[True, False], [False, True]]


def test_row_numbers_that_were_written_once_more_are_left_out(tmp_path: Path) -> None:
    for name in ("t.csv", "t.parquet"):
        frame = pd.DataFrame({"Unnamed: 0": [5, 6], "a": [1, 2], "Unnamed: 0.1": ["x", "y"]})
        frame.to_csv(tmp_path / name, index=False) if name.endswith("csv") else frame.to_parquet(tmp_path / name)
        assert list(read_table(tmp_path / name)) == ["a", "Unnamed: 0.1"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_where_no_comma_separates(tmp_path: Path, separator: str) -> None:
    rows = [("a", "b", "c", "d"), ("0,4", "1,5e3", "2,0", "x,1"), ("-1", "", "?", "3,5"), ("2,25", "7", "1.5", "4")]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(separator.join(row) for row in rows))
    frame = read_table(path)
    assert frame["a"].tolist() == [0.4, -1.0, 2.25]
    assert frame["b"].fillna(0).tolist() == [1500.0, 0.0, 7.0]
    assert frame["c"].tolist()[0] == "2,0" and frame["d"].tolist() == ["x,1", "3,5", "4"]  # no column of numbers
    quoted = tmp_path / "q.csv"
    quoted.write_text('a,b\n"0,4",1\n"1,5",2\n')
    assert read_table(quoted)["a"].tolist() == ["0,4", "1,5"]  # it may be a list of two


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells, and the header has 2"),
        (b"a,b\n1,2,3\n4,5,6\n", "line 2: 3 cells"),
        (b"a,b\n1\n", "line 2: 1 cells"),
        (b"a;b;a\n1;2;3\n", "more than one column named 'a'"),
        (b"gr\xf6\xdfe\n1\n", "not UTF-8"),
        (b",\n1,2\n", "no column names"),
    ],
)
def test_a_file_that_is_no_table_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    for name, stored in (("t.csv", content), ("t.csv.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(stored)
        with pytest.raises(UsageError, match=words):
            read_table(tmp_path / name)


def test_a_path_that_is_no_file_says_why(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").touch()
    (tmp_path / "t.parquet").write_bytes(b"PAR0")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:-20])
    cases = {
        "no.csv": "There is no file",
        "": "is a folder",
        "t.xlsx": "must end in one of .csv",
        "t.parquet": "not a whole Parquet",
        "t.csv.gz": "cannot be read",
    }
    for name, words in cases.items():
        with pytest.raises(UsageError, match=words):
            read_table(tmp_path / name)


def test_variables_in_a_path_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMBECK_TEST_FOLDER", str(tmp_path))
    monkeypatch.delenv("LIMBECK_TEST_UNSET", raising=False)
    assert expanded(Path("${LIMBECK_TEST_FOLDER}/a.csv")) == tmp_path / "a.csv"
    assert expanded(Path("~/a.csv")) == Path.home() / "a.csv"
    with pytest.raises(UsageError, match="LIMBECK_TEST_UNSET, which is not set"):
        expanded(Path("$LIMBECK_TEST_UNSET/a.csv"))
