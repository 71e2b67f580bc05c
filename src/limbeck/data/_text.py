"""Texts: files of them, and words weighed as numbers by what the source's texts say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from limbeck.core import UsageError, bad_value, did_you_mean
from limbeck.core.tables import pd
from limbeck.data._data import Inputs, Preprocessing
from limbeck.data._reading import expanded, read_table

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["LABEL", "TEXT", "TextPreprocessing", "Words", "joined_texts", "read_texts"]

TEXT, LABEL = "text", "label"
"""The columns that a folder of texts is read into."""
TOKEN = r"(?u)\b\w+(?:['’]\w+)?\b"
"""A word: letters, digits and underscores, with what follows an apostrophe, so that "don't" is one."""
MOST_BYTES = 8 * 2**30
"""The inputs of a domain lie in memory as a dense array; it may be as large as that."""


@dataclass(frozen=True)
class Words:
    """What is counted, and how a count becomes a number: the settings of `TextPreprocessing`."""

    weights: Literal["tfidf", "counts", "binary"] = "tfidf"
    ngrams: int = 1
    min_df: int = 2
    max_features: int = 5000
    sublinear: bool = True

    def __post_init__(self) -> None:
        for name in ("ngrams", "min_df", "max_features"):
            if getattr(self, name) < 1:
                raise bad_value(name, "text", "≥ 1", getattr(self, name))


class TextPreprocessing(Preprocessing):
    """Texts as float32 [n, words]: how often each word of a vocabulary stands in a text, weighed.

    The vocabulary: the words (runs of up to `ngrams` of them) in at least `min_df` texts, of those
    the `max_features` most frequent. binary: 1 where the word stands in the text; counts: how
    often; tfidf: `tf · idf`, each text then of length 1, with tf the count (sublinear:
    `1 + log count`) and `idf = 1 + log((1 + n) / (1 + texts with the word))` of Salton & Buckley
    1988, smoothed as in scikit-learn. Case does not count. A text without any known word is zeros.

    columns: of a table, joined to one text in this order. further: texts without labels that count
    for the vocabulary and for idf as the source's do. The counts stay sparse until the end, where
    the array takes 4 · n · words bytes.

    >>> table = pd.DataFrame({"text": ["good film", "bad film"]})
    >>> fitted = TextPreprocessing(["text"], Words("counts", min_df=1)).fit(table)
    >>> fitted.vocabulary, fitted.transform(pd.DataFrame({"text": ["A good, good book"]})).tolist()
    (['bad', 'film', 'good'], [[0.0, 0.0, 2.0]])
    """

    def __init__(self, columns: Sequence[str], words: Words | None = None, further: Sequence[str] = ()):
        self.columns = list(columns)
        self.words = words or Words()
        self.further = list(further)
        self.vocabulary: list[str] = []
        self.idf: list[float] = []
        self.told: list[str] = []

    def fit(self, inputs: Inputs) -> Self:
        from sklearn.feature_extraction.text import CountVectorizer

        own = joined_texts(inputs, self.columns)
        texts = [*own, *self.further]
        counter = CountVectorizer(**self._options(), min_df=1, max_features=None)
        try:
            counts = counter.fit_transform(texts)
        except ValueError as error:
            raise UsageError(f"There is no word in the column {self._named()}.") from error
        found = np.diff(counts.tocsc().indptr)
        often = np.flatnonzero(found >= self.words.min_df)
        if not len(often):
            raise bad_value("min_df", "text", f"at most {found.max()}: no word stands in more texts", self.words.min_df)
        names, total = counter.get_feature_names_out(), np.asarray(counts.sum(0)).ravel()
        kept = np.sort(often[np.argsort(-total[often], kind="stable")][: self.words.max_features])
        self.vocabulary = names[kept].tolist()
        self.idf = (1 + np.log((1 + len(texts)) / (1 + found[kept]))).tolist()
        also = f" and {len(self.further)} further ones without labels" if self.further else ""
        self.told = [
            f"{len(kept)} of {len(names)} words became inputs, by {len(own)} training texts of the source{also}."
        ]
        return self

    def transform(self, inputs: Inputs) -> Tensor:
        texts = joined_texts(inputs, self.columns)
        size = 4 * len(texts) * len(self.vocabulary)
        if size > MOST_BYTES:
            raise UsageError(
                f"{len(texts)} texts of {len(self.vocabulary)} words take {size / 2**30:.1f} GiB. "
                f"Set 'max_features' of text to at most {MOST_BYTES // (4 * len(texts))}."
            )
        return torch.from_numpy(self.sparse(texts).toarray())

    def sparse(self, texts: Sequence[str]) -> csr_matrix:
        """The same numbers as a sparse float32 matrix [n, words]."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.preprocessing import normalize

        counts = CountVectorizer(**self._options(), vocabulary=self.vocabulary).transform(texts).astype(np.float64)
        if self.words.weights == "tfidf":
            if self.words.sublinear:
                counts.data = 1 + np.log(counts.data)
            counts = normalize(counts.multiply(np.array(self.idf)).tocsr())
        return counts.astype(np.float32)

    def _options(self) -> dict[str, Any]:
        return {
            "ngram_range": (1, self.words.ngrams),
            "token_pattern": TOKEN,
            "binary": self.words.weights == "binary",
        }

    def _named(self) -> str:
        return ", ".join(map(repr, self.columns))

    @property
    def notes(self) -> list[str]:
        return self.told

    def meet(self, inputs: Inputs) -> list[str]:
        """How many of the target's words the vocabulary lacks, and how many texts have none that it knows."""
        from sklearn.feature_extraction.text import CountVectorizer

        texts = joined_texts(inputs, self.columns)
        split = CountVectorizer(**{**self._options(), "ngram_range": (1, 1)}).build_analyzer()
        vocabulary = set(self.vocabulary)
        known = [[word in vocabulary for word in split(text)] for text in texts]
        words, hits = sum(map(len, known)), sum(map(sum, known))
        empty = sum(not any(row) for row in known)
        share = f"{100 * (1 - hits / max(1, words)):.0f} % of the words here are not among the inputs."
        return [share, *([f"{empty} texts have no known word at all."] if empty else [])]

    def state(self) -> dict[str, Any]:
        return {
            "kind": "text",
            "columns": self.columns,
            "words": asdict(self.words),
            "vocabulary": self.vocabulary,
            "idf": self.idf,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        made = cls(state["columns"], Words(**state["words"]))
        made.vocabulary, made.idf = list(state["vocabulary"]), list(state["idf"])
        return made

    def read(self, path: Path) -> pd.DataFrame:
        """The text columns of a table, of JSON lines, or of a folder of .txt files; a label is ignored."""
        frame = read_texts(path)
        for column in self.columns:
            if column not in frame:
                hint = did_you_mean(column, map(str, frame.columns))
                raise UsageError(f"{path} lacks the column {column!r}, which the student reads. {hint}")
        texts = joined_texts(frame, self.columns)
        empty = [number for number, text in enumerate(texts, 1) if not text]
        if empty:
            raise UsageError(f"Row {empty[0]} of {path} has no text ({len(empty)} of {len(texts)} rows).")
        return frame[self.columns]


def joined_texts(inputs: Inputs, columns: Sequence[str]) -> list[str]:
    """One text a row; a missing one is empty.

    >>> joined_texts(pd.DataFrame({"title": ["Emma", None], "text": [" A novel. ", "Dull"]}), ["title", "text"])
    ['Emma\\nA novel.', 'Dull']
    """
    if not isinstance(inputs, pd.DataFrame) or not set(columns) <= set(inputs.columns):
        got = list(inputs.columns) if isinstance(inputs, pd.DataFrame) else f"an array {list(inputs.shape)}"
        raise UsageError(f"Texts are a table with {', '.join(map(repr, columns))}. Got {got}.")
    cells = [inputs[column].astype(object).fillna("").astype(str).str.strip() for column in columns]
    return ["\n".join(filter(None, row)) for row in zip(*cells, strict=True)]


def read_texts(path: Path) -> pd.DataFrame:
    """A .csv, .tsv or .parquet table, .jsonl records, or a folder with a folder of .txt files per class.

    A folder gives the columns `text` and `label`, None for files that lie in no class's folder, in
    the order of the names. Files are UTF-8. `UsageError` says what is wrong with which file.
    """
    path = expanded(path)
    if path.is_dir():
        return _read_folder(path)
    if path.name.lower().endswith((".jsonl", ".jsonl.gz", ".ndjson")):
        return _read_records(path)
    return read_table(path)


def _read_folder(folder: Path) -> pd.DataFrame:
    files = sorted([*folder.glob("*.txt"), *folder.glob("*/*.txt")])
    if not files:
        raise UsageError(f"{folder} has no .txt file: a folder of texts has a folder of .txt files for each class.")
    rows = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{file} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8."
            ) from error
        rows.append((text, None if file.parent == folder else file.parent.name))
    return pd.DataFrame(rows, columns=[TEXT, LABEL], dtype=object)


def _read_records(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise UsageError(f"There is no file {path}. A path that is not absolute starts at {Path.cwd()}.")
    try:
        frame = pd.read_json(path, lines=True, dtype=False, encoding="utf-8")
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"{path} is not JSON lines, one object a line: {error}") from error
    if not len(frame):
        raise UsageError(f"{path} has no lines.")
    return frame.rename(columns=str)
