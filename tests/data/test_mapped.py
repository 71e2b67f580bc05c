"""Arrays that stay in their file: the same numbers as in memory, to the last bit, and only those that are asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limbeck.core import RunError, UsageError
from limbeck.data import Raw, SplitSettings, _arrays, _mapped, prepare
from limbeck.data._images import ImagePreprocessing
from limbeck.data._mapped import Mapped, Moments, chunks, transformed
from limbeck.data._vectors import VectorPreprocessing

RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(1e4, 3, (60, 7))
BYTES = RANDOM.integers(0, 256, (60, 3, 6, 5), dtype=np.uint8)
EACH = pytest.mark.parametrize(
    ("inputs", "preprocessing"),
    [
        (VECTORS, VectorPreprocessing()),
        (VECTORS.astype(np.float32), VectorPreprocessing(normalise=False)),
        (BYTES, ImagePreprocessing()),
        (BYTES[:, 0], ImagePreprocessing(size=4)),
        (BYTES.transpose(0, 2, 3, 1) / 255, ImagePreprocessing()),
        (BYTES[:, 0].astype(np.int64), ImagePreprocessing()),
    ],
)


@pytest.fixture(autouse=True)
def many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mapped, "CHUNK", 400)


def mapped(inputs: np.ndarray, folder: Path) -> Mapped:
    np.save(folder / "inputs.npy", inputs)
    return Mapped(np.load(folder / "inputs.npy", mmap_mode="r"))


def domain(inputs: np.ndarray | Mapped) -> Raw:
    labels = np.array(["a", "b", "c"], dtype=object)[np.arange(len(inputs)) % 3]
    labels[::7] = None
    return Raw("lab", inputs, labels, "classification")


def test_rows_are_read_as_from_an_array(tmp_path: Path) -> None:
    whole, chosen = mapped(VECTORS, tmp_path), np.array([5, 2, 50])
    some = whole.take(chosen)
    assert (some.shape, some.ndim, some.dtype, len(some)) == ((3, 7), 2, VECTORS.dtype, 3)
    assert (some[:] == VECTORS[chosen]).all() and (some[1:] == VECTORS[chosen[1:]]).all()
    assert (some[np.array([2, 0])] == VECTORS[[50, 5]]).all()
    assert (some.take(np.array([True, False, True]))[:] == VECTORS[[5, 50]]).all()
    read = whole[:4]
    assert type(read) is np.ndarray and not np.shares_memory(read, whole.array)
    read[:] = 0  # what was read is the reader's own
    assert (whole[:4] == VECTORS[:4]).all()


@given(cuts=st.lists(st.integers(1, 59), max_size=5, unique=True))
def test_moments_do_not_depend_on_the_pieces(cuts: list[int]) -> None:
    moments = Moments()
    for part in np.split(VECTORS, sorted(cuts)):
        moments.add(part.T)
    assert np.allclose(moments.mean, VECTORS.mean(0), rtol=1e-12)
    assert np.allclose(moments.deviation, VECTORS.std(0), rtol=1e-9)  # the mean is 3,000 deviations from 0


def test_chunks_are_cut_alike_and_hold_all_rows(tmp_path: Path) -> None:
    parts, others = list(chunks(VECTORS)), list(chunks(mapped(VECTORS, tmp_path)))
    assert len(parts) == 2 and all((a == b).all() for a, b in zip(parts, others, strict=True))
    assert (np.concatenate(parts) == VECTORS).all()
    assert [len(part) for part in chunks(np.zeros((2, 401)))] == [1, 1]


@EACH
def test_it_is_fitted_and_applied_as_in_memory(inputs, preprocessing, tmp_path: Path) -> None:
    """Domains agree bit for bit, where rows are dropped and in every split; the statistics are those of the whole."""
    here = prepare(domain(inputs), domain(inputs), preprocessing, SplitSettings())
    state = preprocessing.state()
    file = domain(mapped(inputs, tmp_path))
    there = prepare(file, file, preprocessing, SplitSettings())
    assert preprocessing.state() == state
    for ours, theirs in zip(here[:2], there[:2], strict=True):
        assert theirs.inputs.equal(ours.inputs) and theirs.inputs.is_contiguous()
        assert (theirs.mapped, theirs.view().mapped, ours.mapped) == (True, True, False)
        assert all((theirs.splits[split] == rows).all() for split, rows in ours.splits.items())
        assert theirs.split_inputs("test", 2).equal(ours.split_inputs("test", 2))
    if preprocessing.normalise:
        train = here[0].split_inputs("train")
        values = train.transpose(0, 1).flatten(1) if train.ndim == 4 else train.T
        assert values.mean(1).abs().max() < 1e-4 and (values.std(1, correction=0) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["vectors", "images"])
def test_statistics_in_pieces_are_those_of_the_whole(name: str, tmp_path: Path) -> None:
    inputs = VECTORS if name == "vectors" else BYTES
    kind = VectorPreprocessing if name == "vectors" else ImagePreprocessing
    fitted = kind().fit(mapped(inputs, tmp_path))
    columns = inputs if name == "vectors" else (inputs / 255).transpose(0, 2, 3, 1).reshape(-1, 3)
    assert np.allclose(fitted.mean, columns.mean(0), rtol=1e-6)
    assert np.allclose(fitted.deviation, columns.std(0), rtol=1e-6)


def test_a_constant_that_changes_in_a_later_piece_is_scaled() -> None:
    inputs = np.zeros((400, 2))
    inputs[399, 1] = 1
    fitted = VectorPreprocessing().fit(inputs)
    assert fitted.deviation[0] == 1 and np.isclose(fitted.deviation[1], inputs[:, 1].std())


def test_rows_that_are_not_finite_are_counted_over_all_pieces(tmp_path: Path) -> None:
    inputs = VECTORS.copy()
    inputs[[58, 59]] = np.nan
    for given_inputs in (inputs, mapped(inputs, tmp_path)):
        with pytest.raises(UsageError, match="2 of 60 rows hold NaN or infinity, the first is row 58"):
            VectorPreprocessing().fit(given_inputs)
    images = np.zeros((60, 5, 5))
    images[57] = 1e300  # infinite as float32
    with pytest.raises(UsageError, match=r"1 of 60 rows .* row 57"), np.errstate(over="ignore"):
        ImagePreprocessing().fit(images)


def test_what_is_made_lies_in_a_file_without_a_name(tmp_path: Path) -> None:
    inputs = mapped(VECTORS, tmp_path)
    made = transformed(inputs, (7,), lambda rows: torch.from_numpy(rows.astype(np.float32)))
    assert made.dtype == torch.float32 and (made.numpy() == VECTORS.astype(np.float32)).all()
    assert [path.name for path in tmp_path.iterdir()] == ["inputs.npy"]
    assert inputs.scratch == tmp_path
    made[0] = 0  # one's own copy of the page
    again = transformed(inputs, (7,), lambda rows: torch.from_numpy(rows.astype(np.float32)))
    assert again[0].any()


def test_a_folder_that_may_not_be_written_to_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = mapped(VECTORS, tmp_path)
    monkeypatch.setattr(_mapped.os, "access", lambda path, mode: False)
    monkeypatch.setattr(_mapped.tempfile, "gettempdir", lambda: "/elsewhere")
    assert inputs.scratch == Path("/elsewhere")


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    def full(rows: np.ndarray) -> torch.Tensor:
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="The disk is full"):
        transformed(mapped(VECTORS, tmp_path), (7,), full)


@pytest.mark.parametrize("kind", [VectorPreprocessing, ImagePreprocessing])
def test_new_files_are_read_in_place_where_they_are_large(kind, tmp_path: Path, monkeypatch) -> None:
    inputs = VECTORS if kind is VectorPreprocessing else BYTES
    np.save(tmp_path / "inputs.npy", inputs)
    fitted = kind().fit(inputs)
    small = fitted.read(tmp_path)
    monkeypatch.setattr(_arrays, "MAPPED_FROM", 100)
    large = fitted.read(tmp_path / "inputs.npy")
    assert isinstance(small, np.ndarray) and isinstance(large, Mapped)
    assert fitted.transform(large).equal(fitted.transform(small))


def test_a_mapped_domain_without_labels_is_a_target(tmp_path: Path) -> None:
    target = replace(domain(mapped(VECTORS, tmp_path)), labels=None)
    _, made, fitted, _ = prepare(domain(VECTORS), target, VectorPreprocessing(), SplitSettings())
    assert made.mapped and made.inputs.equal(fitted.transform(VECTORS)) and len(made.raw) == 60
