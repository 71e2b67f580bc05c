"""The arrays part: what it takes from Python and from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import UsageError
from limbeck.data._images import ImagePreprocessing
from limbeck.data._tables import TablePreprocessing
from limbeck.data._vectors import VectorPreprocessing
from limbeck.data.arrays import Arrays

LABELS = ["b", "a", None, "b"]


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (np.zeros((4, 3)), VectorPreprocessing),
        (torch.zeros(4, 3), VectorPreprocessing),
        (np.zeros((4, 8, 8)), ImagePreprocessing),
        (torch.zeros(4, 3, 8, 8), ImagePreprocessing),
        (pd.DataFrame({0: range(4)}), TablePreprocessing),
    ],
)
def test_the_preprocessing_follows_the_shape(inputs, kind: type) -> None:
    part = Arrays(inputs, LABELS)
    assert type(part.preprocessing()) is kind
    assert part.load().labels.tolist() == LABELS


@pytest.mark.parametrize(
    "labels", [[1, 0, 1], np.array([1, 0, 1]), torch.tensor([1, 0, 1]), pd.Series([1.0, 0.0, 1.0])]
)
def test_numbers_are_places_in_classes(labels) -> None:
    raw = Arrays(np.eye(3), labels, classes=["well", "ill"]).load()
    assert raw.labels.tolist() == ["ill", "well", "ill"]
    assert raw.classes == ("well", "ill")
    assert Arrays(np.eye(3), labels).load().labels.tolist() == ["1", "0", "1"]


def test_names_must_be_in_classes() -> None:
    assert Arrays(np.eye(2), ["x", "y"], classes=["y", "x"]).load().classes == ("y", "x")
    for labels in (["x", "z"], [0, 2]):
        with pytest.raises(UsageError, match=r"does not say what '(z|2)' is"):
            Arrays(np.eye(2), labels, classes=["x", "y"]).load()


def test_values_are_regressed() -> None:
    raw = Arrays(np.eye(3), [0.5, np.nan, 2.0]).load()
    assert raw.kind == "regression" and raw.labels[2] == 2 and np.isnan(raw.labels[1])


def test_scale_none_changes_nothing() -> None:
    inputs = np.random.default_rng(0).normal(3, 2, (10, 4)).astype(np.float32)
    part = Arrays(inputs, scale="none")
    assert (part.preprocessing().fit(inputs).transform(inputs).numpy() == inputs).all()


def test_a_file_is_read_without_pickles(tmp_path: Path) -> None:
    path = tmp_path / "lab.npz"
    np.savez(path, inputs=np.eye(3), labels=np.array(["a", "b", "a"]), groups=np.array([1, 1, 2]), more=np.eye(2))
    raw = Arrays(path=path).load()
    assert (raw.name, raw.labels.tolist(), raw.groups.tolist()) == ("lab", ["a", "b", "a"], [1, 1, 2])
    np.savez(path, inputs=np.array([{}], dtype=object))
    with pytest.raises(UsageError, match="cannot be read as arrays"):
        Arrays(path=path).load()
    np.savez(path, x=np.eye(3))
    with pytest.raises(UsageError, match=r"has no array 'inputs'. It has: x"):
        Arrays(path=path).load()
    path.write_bytes(b"PK nonsense")
    with pytest.raises(UsageError, match="cannot be read as arrays"):
        Arrays(path=path).load()
    with pytest.raises(UsageError, match="There is no file"):
        Arrays(path=tmp_path / "no.npz").load()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either 'inputs'"),
        ({"inputs": np.eye(2), "path": "a.npz"}, "either 'inputs'"),
        ({"path": "a.npz", "labels": [1]}, "stand in the file"),
        ({"inputs": np.eye(2), "labels": [1]}, "The 'labels' of arrays must be one value for each of the 2"),
        ({"inputs": np.eye(2), "groups": [1]}, "The 'groups' of arrays"),
        ({"inputs": np.zeros(3)}, r"The 'inputs' of arrays must be \[n, d\]"),
        ({"inputs": np.array([["a"]])}, "must be numbers"),
        ({"inputs": np.eye(2), "labels": [0, 1], "classes": ["a", "b"], "task": "regression"}, "'task' is regression"),
        ({"inputs": np.eye(2), "classes": ["a", "a"]}, "different names"),
    ],
)
def test_bad_settings_are_named(settings: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Arrays(**settings).load()
