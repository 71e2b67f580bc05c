"""The arrays part: what it takes from Python and from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from limbeck.core import UsageError
from limbeck.data import _arrays
from limbeck.data._images import ImagePreprocessing
from limbeck.data._mapped import Mapped
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "lab"
    path.mkdir()
    np.save(path / "inputs.npy", np.eye(3))
    np.save(path / "labels.npy", np.array(["a", "b", "a"]))
    np.save(path / "groups.npy", np.array([1, 1, 2]))
    return path


def test_a_folder_is_read_as_one_file_would_be(folder: Path) -> None:
    raw = Arrays(path=folder).load()
    assert (raw.name, raw.labels.tolist(), raw.groups.tolist()) == ("lab", ["a", "b", "a"], [1, 1, 2])
    assert (raw.inputs == np.eye(3)).all()
    (folder / "labels.npy").unlink()
    assert Arrays(path=folder).load().labels is None
    alone = Arrays(path=folder / "inputs.npy").load()
    assert (alone.name, alone.labels, alone.groups) == ("inputs", None, None)
    np.save(folder / "groups.npy", np.arange(2))
    with pytest.raises(UsageError, match="The 'groups' of lab must be one value for each of the 3"):
        Arrays(path=folder).load()


@pytest.mark.parametrize(("least", "stays"), [(35, True), (36, False)])
def test_large_inputs_stay_in_their_file(folder: Path, monkeypatch, least: int, stays: bool) -> None:
    """Three times three numbers of float32 are 36 bytes."""
    monkeypatch.setattr(_arrays, "MAPPED_FROM", least)
    for part in (Arrays(path=folder), Arrays(np.load(folder / "inputs.npy", mmap_mode="r"))):
        assert isinstance(part.load().inputs, Mapped) is stays


def test_where_inputs_are_held_can_be_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = np.load(folder / "inputs.npy", mmap_mode="r")
    for given in ({"path": folder}, {"path": folder / "inputs.npy"}, {"inputs": mapped}):
        part = Arrays(**given, held="file")
        assert isinstance(part.load().inputs, Mapped) and isinstance(part.preprocessing(), VectorPreprocessing)
    monkeypatch.setattr(_arrays, "MAPPED_FROM", 0)
    assert type(Arrays(path=folder, held="memory").load().inputs) is np.ndarray


def test_what_cannot_be_mapped_is_said(folder: Path) -> None:
    np.savez(folder / "lab.npz", inputs=np.eye(3))
    with pytest.raises(UsageError, match=r"only where they are an .npy file.* Got .*lab.npz"):
        Arrays(path=folder / "lab.npz", held="file").load()
    (folder / "inputs.npy").write_bytes(b"nonsense")
    for path in (folder, folder / "inputs.npy"):
        with pytest.raises(UsageError, match="cannot be read as an array"):
            Arrays(path=path).load()
    np.save(folder / "inputs.npy", np.array([{}], dtype=object))
    with pytest.raises(UsageError, match="cannot be read as an array"):
        Arrays(path=folder).load()
    np.save(folder / "inputs.npy", 3.0)
    with pytest.raises(UsageError, match="holds a single number"):
        Arrays(path=folder).load()
    np.save(folder / "inputs.npy", np.zeros((0, 3)))
    assert len(Arrays(path=folder / "inputs.npy").load()) == 0
    (folder / "inputs.npy").unlink()
    with pytest.raises(UsageError, match=r"has no file inputs.npy"):
        Arrays(path=folder).load()
    with pytest.raises(UsageError, match="There is no file"):
        Arrays(path=folder / "inputs.npy").load()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either 'inputs'"),
        ({"inputs": np.eye(2), "path": "a.npz"}, "either 'inputs'"),
        ({"path": "a.npz", "labels": [1]}, "stand in the file or folder"),
        ({"inputs": np.eye(2), "held": "file"}, r"held in a file only where .* Got ndarray. Write them by np.save"),
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
