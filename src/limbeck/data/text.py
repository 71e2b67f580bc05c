"""Texts with labels: a table, JSON lines, or a folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from limbeck.core import UsageError, did_you_mean
from limbeck.core.tables import pd
from limbeck.data import Data, Preprocessing, Raw
from limbeck.data._classes import take_rows
from limbeck.data._labels import Labels, Threshold, read_labels
from limbeck.data._reading import expanded
from limbeck.data._text import LABEL, TEXT, TextPreprocessing, Words, joined_texts, read_texts

__all__ = ["Text"]


class Text(Data):
    """Texts as bags of words.

    path: a .csv, .tsv or .parquet table, .jsonl records, or a folder with a folder of .txt files
    for each class. text: the column, or several, joined. label, mapping, task, name: as for csv; a
    folder's labels are its folders' names. weights: tfidf (each text of length 1), counts, or
    binary. ngrams: runs of up to so many words count as words. min_df: a word stands in at least
    so many texts. max_features: the most frequent words are the inputs. sublinear: a word's tenth
    time in a text counts less than its first (tfidf). The vocabulary is that of the source's
    training rows, and it is saved with the student.

    unlabelled: a file of further texts whose words count as the source's do, such as texts of the
    target's that it does not test on; no label in it is read. Where the target's own file stands
    here, the words of its test texts are known beforehand, which the report should say.
    deduplicate: of rows with the same text (but for case and spaces) the first stays; otherwise
    all stay, and lie in one split.

    >>> Text("books.csv.gz", label="label", text=["title", "text"]).name
    'books'
    """

    def __init__(
        self,
        path: Path | str,
        text: str | Sequence[str] = TEXT,
        label: str | None = None,
        mapping: dict[str, str] | None = None,
        task: Literal["auto", "classification", "regression"] = "auto",
        weights: Literal["tfidf", "counts", "binary"] = "tfidf",
        ngrams: Annotated[int, Ge(1)] = 1,
        min_df: Annotated[int, Ge(1)] = 2,
        max_features: Annotated[int, Ge(1)] = 5000,
        sublinear: bool = True,
        unlabelled: Path | str | None = None,
        deduplicate: bool = False,
        name: str | None = None,
    ):
        self.path = Path(path)
        self.text = [text] if isinstance(text, str) else list(text)
        self.label = label
        self.mapping = mapping
        self.task: Literal["auto", "classification", "regression"] = task
        self.words = Words(weights, ngrams, min_df, max_features, sublinear)
        self.unlabelled = None if unlabelled is None else Path(unlabelled)
        self.deduplicate = deduplicate
        self.name = name or self.path.name.partition(".")[0]

    def load(self) -> Raw:
        frame = read_texts(self.path)
        for column in self.text:
            _known(frame, column, "text", self.path)
        labels = self._labels(frame)
        values = None if labels is None else labels.values
        kind = "classification" if labels is None else labels.kind
        raw = Raw(self.name, frame[self.text], values, kind, None if labels is None else labels.classes)
        texts = np.array(joined_texts(frame, self.text), dtype=object)
        written = texts != ""
        if not written.any():
            raise UsageError(f"No row of {self.path} has a text in {', '.join(map(repr, self.text))}.")
        raw = take_rows(raw, written, f"{(~written).sum()} rows without a text are not used.")
        return self._grouped(raw, texts[written])

    def preprocessing(self) -> Preprocessing:
        further: list[str] = []
        if self.unlabelled is not None:
            frame = read_texts(self.unlabelled)
            for column in self.text:
                _known(frame, column, "text", self.unlabelled)
            further = joined_texts(frame, self.text)
        return TextPreprocessing(self.text, self.words, further)

    def _labels(self, frame: pd.DataFrame) -> Labels | None:
        label = self.label
        if label is None and expanded(self.path).is_dir() and frame[LABEL].notna().any():
            label = LABEL
        if label is None:
            return None
        threshold = None if label in frame else Threshold.parse(label)
        if threshold is None:
            values = frame[_known(frame, label, "label", self.path)]
            return read_labels(values, self.task, f"column {label!r} in {self.path}", self.mapping)
        if self.mapping is not None or self.task == "regression":
            raise UsageError(
                f"The 'label' of text, {label!r}, makes two classes of its own: leave out 'mapping', and the 'task'."
            )
        return threshold.apply(frame[_known(frame, threshold.column, "label", self.path)])

    def _grouped(self, raw: Raw, texts: np.ndarray) -> Raw:
        """Copies of a text dropped, or kept together."""
        groups, distinct = pd.factorize(np.array([" ".join(text.lower().split()) for text in texts], dtype=object))
        copies = len(texts) - len(distinct)
        if not copies:
            return raw
        if self.deduplicate:
            first = ~pd.Series(groups).duplicated().to_numpy()
            return take_rows(raw, first, f"{copies} rows that repeat an earlier text are not used.")
        note = f"{copies} rows repeat an earlier text; they are in its split."
        return replace(raw, groups=groups, notes=(*raw.notes, note))


def _known(frame: pd.DataFrame, column: str, setting: str, path: Path) -> str:
    if column not in frame:
        hint = did_you_mean(column, map(str, frame.columns))
        raise UsageError(f"The {setting!r} of text names the column {column!r}, which {path} lacks. {hint}")
    return column
