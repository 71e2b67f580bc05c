"""Texts: how they are read, which words count, and what a student keeps of them."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import UsageError
from limbeck.data import SplitSettings, prepare, restore_preprocessing
from limbeck.data._text import TextPreprocessing, Words, joined_texts, read_texts
from limbeck.data.text import Text

TABLE = pd.DataFrame(
    {
        "title": ["Emma", "Dull", None, "Again"],
        "text": ["A good, good film", "bad film", "Don't  go", "don't go"],
        "stars": [5, 1, 2, 2],
        "label": ["yes", "no", "no", "no"],
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    TABLE.to_csv(tmp_path / "reviews.csv", index=False)
    return tmp_path / "reviews.csv"


def table(*texts: str) -> pd.DataFrame:
    return pd.DataFrame({"text": list(texts)})


def fitted(*texts: str, **words: object) -> TextPreprocessing:
    return TextPreprocessing(["text"], Words(**{"min_df": 1, **words})).fit(table(*texts))


def test_a_table_jsonl_and_folders_read_alike(path: Path, tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(row) for row in TABLE.to_dict("records"))
    (tmp_path / "reviews.jsonl").write_text(lines)
    (tmp_path / "reviews.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    TABLE.to_parquet(tmp_path / "reviews.parquet")
    for number, (text, label) in enumerate(zip(TABLE["text"], TABLE["label"], strict=True)):
        (tmp_path / "reviews" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "reviews" / label / f"{number}.txt").write_text(text)
    found = [Text(file, label="label").load() for file in sorted(tmp_path.glob("reviews.*"))]
    found.append(Text(tmp_path / "reviews").load())  # a folder's labels need no name
    assert len(found) == 5
    for raw in found:
        rows = sorted(zip(raw.inputs["text"], raw.labels, strict=True))
        assert rows == sorted(zip(TABLE["text"], TABLE["label"], strict=True))
        assert raw.name == "reviews" and raw.kind == "classification"


def test_labels_are_columns_thresholds_mapped_or_values(path: Path) -> None:
    assert Text(path).load().labels is None
    assert Text(path, label="stars > 3").load().classes == ("stars <= 3", "stars > 3")
    mapped = Text(path, label="label", mapping={"yes": "good", "no": "poor"}).load()
    assert mapped.labels.tolist() == ["good", "poor", "poor", "poor"]
    assert Text(path, label="stars", task="regression").load().kind == "regression"


def test_several_columns_are_one_text(path: Path) -> None:
    raw = Text(path, text=["title", "text"], label="label").load()
    assert list(raw.inputs) == ["title", "text"]
    assert joined_texts(raw.inputs, ["title", "text"])[:3] == ["Emma\nA good, good film", "Dull\nbad film", "Don't  go"]


def test_copies_stay_together_or_go(path: Path) -> None:
    raw = Text(path, label="label").load()
    assert raw.groups[2] == raw.groups[3] and len(set(raw.groups)) == 3  # case and spaces do not count
    assert raw.notes == ("1 rows repeat an earlier text; they are in its split.",)
    once = Text(path, label="label", deduplicate=True).load()
    assert once.inputs["text"].tolist() == TABLE["text"].tolist()[:3] and once.groups is None
    assert Text(path, label="label", text=["title", "text"]).load().groups is None  # other titles: no copies


def test_no_copy_straddles_two_splits(tmp_path: Path) -> None:
    texts = [f"word{number} film" for number in range(30)] * 2
    pd.DataFrame({"text": texts, "label": ["a", "b"] * 30}).to_csv(tmp_path / "twice.csv", index=False)
    raw, part = Text(tmp_path / "twice.csv", label="label").load(), Text(tmp_path / "twice.csv", label="label")
    source, _, _, _ = prepare(raw, raw, part.preprocessing(), SplitSettings())
    seen = [{texts[row] for row in rows} for rows in source.splits.values()]
    assert sum(map(len, seen)) == 30 == len(set.union(*seen))


def test_rows_without_a_text_are_left_out_with_a_note(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a film", " ", None], "label": ["a", "b", "b"]}).to_csv(tmp_path / "few.csv", index=False)
    raw = Text(tmp_path / "few.csv", label="label").load()
    assert raw.labels.tolist() == ["a"] and raw.notes == ("2 rows without a text are not used.",)
    pd.DataFrame({"text": [None, None], "n": [1, 2]}).to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(UsageError, match=r"No row of .* has a text in 'text'"):
        Text(tmp_path / "none.csv").load()


@pytest.mark.parametrize("sublinear", [True, False])
def test_tfidf_is_the_formula(sublinear: bool) -> None:
    texts = ["a good good film", "bad film", "film"]
    names = ["a", "bad", "film", "good"]
    found = fitted(*texts, sublinear=sublinear)
    assert found.vocabulary == names
    counts = np.array([[text.split().count(name) for name in names] for text in texts], dtype=np.float64)
    tf = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) if sublinear else counts
    weighed = tf * (1 + np.log((1 + 3) / (1 + (counts > 0).sum(0))))
    expected = weighed / np.sqrt((weighed**2).sum(1, keepdims=True))
    np.testing.assert_allclose(found.transform(table(*texts)).numpy(), expected, rtol=1e-6)
    assert found.idf[2] == 1.0 and math.isclose(found.idf[0], 1 + math.log(2))


def test_counts_binary_and_runs_of_words() -> None:
    assert fitted("x y x", weights="counts").transform(table("x x z")).tolist() == [[2.0, 0.0]]
    assert fitted("x y x", weights="binary").transform(table("x x z")).tolist() == [[1.0, 0.0]]
    assert fitted("x y x", ngrams=2).vocabulary == ["x", "x y", "y", "y x"]
    assert fitted("I don't, I can’t").vocabulary == ["can’t", "don't", "i"]


def test_the_vocabulary_is_the_most_frequent_words_of_enough_texts() -> None:
    found = fitted("a a a b", "b c", "c b d", min_df=2, max_features=1)
    assert found.vocabulary == ["b"]  # a is in one text only; b stands more often than c
    assert found.notes == ["1 of 4 words became inputs, by 3 training texts of the source."]
    with pytest.raises(
        UsageError, match=r"The 'min_df' of text must be at most 1: no word stands in more texts. Got 2"
    ):
        fitted("a", "b", min_df=2)
    with pytest.raises(UsageError, match="There is no word in the column 'text'"):
        fitted("...", "!")


def test_only_training_texts_of_the_source_and_unlabelled_ones_make_the_vocabulary(tmp_path: Path) -> None:
    words = [f"own{number} film" for number in range(40)]
    pd.DataFrame({"text": words, "label": ["a", "b"] * 20}).to_csv(tmp_path / "source.csv", index=False)
    pd.DataFrame({"text": ["strange film"] * 3}).to_csv(tmp_path / "more.csv", index=False)
    part = Text(tmp_path / "source.csv", label="label", min_df=1)
    source, _, alone, _ = prepare(part.load(), part.load(), part.preprocessing(), SplitSettings())
    assert alone.vocabulary == sorted(["film", *(words[row].split()[0] for row in source.splits["train"])])
    part = Text(tmp_path / "source.csv", label="label", min_df=2, unlabelled=tmp_path / "more.csv")
    _, _, both, _ = prepare(part.load(), part.load(), part.preprocessing(), SplitSettings())
    assert both.vocabulary == ["film", "strange"]
    assert both.notes[0].endswith("by 20 training texts of the source and 3 further ones without labels.")


def test_what_was_learnt_survives_json_and_reads_new_files(path: Path, tmp_path: Path) -> None:
    found = fitted("good film", "bad film", ngrams=2)
    again = restore_preprocessing(json.loads(json.dumps(found.state())))
    new = again.read(path)
    assert list(new) == ["text"]
    assert again.transform(new).equal(found.transform(new))
    assert again.sparse(["no word known"]).nnz == 0
    assert torch.count_nonzero(again.transform(table("unknown"))) == 0


def test_the_target_is_told_what_is_unknown() -> None:
    found = fitted("good film", "bad film")
    assert found.meet(table("good book", "dull read")) == [
        "75 % of the words here are not among the inputs.",
        "1 texts have no known word at all.",
    ]
    assert found.meet(table("good film")) == ["0 % of the words here are not among the inputs."]


def test_inputs_that_would_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limbeck.data._text.MOST_BYTES", 16)
    assert fitted("a b").transform(table("a", "b")).shape == (2, 2)
    with pytest.raises(UsageError, match=r"3 texts of 2 words take .* Set 'max_features' of text to at most 1"):
        fitted("a b").transform(table("a", "b", "c"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"text": "txt"}, "The 'text' of text names the column 'txt'.*Did you mean 'text'"),
        ({"label": "labl"}, "The 'label' of text names the column 'labl'.*Did you mean 'label'"),
        ({"label": "star > 3"}, "The 'label' of text names the column 'star'.*Did you mean 'stars'"),
        ({"label": "stars > 3", "task": "regression"}, "makes two classes of its own"),
        ({"label": "label", "mapping": {"yes": "good"}}, "does not say what 'no' is"),
        ({"ngrams": 0}, "The 'ngrams' of text must be ≥ 1. Got 0"),
    ],
)
def test_what_is_not_there_is_named(path: Path, settings: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Text(path, **settings).load()


def test_unlabelled_texts_need_the_same_columns(path: Path) -> None:
    with pytest.raises(UsageError, match="The 'text' of text names the column 'body'"):
        Text(path, text="body", unlabelled=path).preprocessing()


def test_files_that_are_no_texts_are_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{no json")
    (tmp_path / "none.jsonl").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin" / "a").mkdir(parents=True)
    (tmp_path / "latin" / "a" / "1.txt").write_bytes(b"caf\xe9")
    for name, words in [
        ("bad.jsonl", "is not JSON lines"),
        ("none.jsonl", "has no lines"),
        ("gone.jsonl", "There is no file"),
        ("empty", "has no .txt file"),
        ("latin", r"1\.txt is not UTF-8"),
    ]:
        with pytest.raises(UsageError, match=words):
            read_texts(tmp_path / name)
    with pytest.raises(UsageError, match="lacks the column 'body', which the student reads"):
        TextPreprocessing(["body"]).read(path)
    pd.DataFrame({"text": ["a", None], "n": [1, 2]}).to_csv(tmp_path / "gap.csv", index=False)
    with pytest.raises(UsageError, match=r"Row 2 of .* has no text \(1 of 2 rows\)"):
        TextPreprocessing(["text"]).read(tmp_path / "gap.csv")
    with pytest.raises(UsageError, match=r"Texts are a table with 'text'. Got an array \[2, 2\]"):
        fitted("a b").transform(np.zeros((2, 2)))


def test_reviews_are_read_whole(data_root: Path) -> None:
    path = data_root / "amazon_reviews" / "kitchen.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there: Blitzer et al. 2007, with the columns label, rating, title and text.")
    raw = Text(path, label="label", text=["title", "text"]).load()
    assert len(raw) == 2000 and sorted(set(raw.labels)) == ["0", "1"]
    assert (raw.labels == "1").sum() == 1000
    assert len(raw) - len(set(raw.groups)) > 20
