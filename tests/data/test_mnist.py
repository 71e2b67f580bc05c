"""MNIST from its own files."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.data import SplitSettings, prepare
from limbeck.data.mnist import Mnist, read_idx
from limbeck.data.usps import Usps


def idx(path: Path, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(head + array.tobytes()))


def test_idx_is_read_and_checked(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    path = tmp_path / "x.gz"
    idx(path, array)
    assert (read_idx(path) == array).all()
    content = path.read_bytes()
    for broken in (content[:-9], b"", gzip.compress(b""), gzip.compress(gzip.decompress(content)[:-1])):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match="Download it again"):
            read_idx(path)


def test_the_set_is_the_published_one(data_root: Path) -> None:
    raw = Mnist(root=data_root / "mnist").load()
    assert raw.inputs.shape == (70_000, 28, 28) and raw.test.sum() == 10_000 and raw.test[60_000:].all()
    assert np.bincount(raw.labels[raw.test].astype(int)).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    head = gzip.decompress((data_root / "mnist" / "t10k-labels-idx1-ubyte.gz").read_bytes())
    assert hashlib.md5(head).hexdigest() == "27ae3e4e09519cfbb04c329615203637"
    assert "".join(raw.labels[raw.test][:5]) == "72104"


def test_two_sets_become_one_shape(data_root: Path) -> None:
    source, target, _, task = prepare(
        Mnist(500, data_root / "mnist").load(),
        Usps(500, data_root / "usps").load(),
        Mnist().preprocessing(),
        SplitSettings(labelled=2),
    )
    assert source.shape == target.shape == (1, 28, 28)
    assert {name: len(rows) for name, rows in target.splits.items()} == {
        "labelled": 20,
        "train": 380,
        "selection": 100,
        "test": 2007,
    }
    assert task.classes == tuple("0123456789")
