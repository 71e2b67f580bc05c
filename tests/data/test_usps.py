"""USPS from its own files."""

from __future__ import annotations

import bz2
from pathlib import Path

import pytest

from limbeck.core import UsageError
from limbeck.data.usps import Usps, read_libsvm


def test_broken_files_are_said(tmp_path: Path) -> None:
    path = tmp_path / "usps.bz2"
    line = b"7 " + b" ".join(b"%d:-1.0" % pixel for pixel in range(1, 257)) + b"\n"
    path.write_bytes(bz2.compress(line * 2))
    images, numbers = read_libsvm(path)
    assert images.shape == (2, 16, 16) and not images.any() and numbers.tolist() == [6, 6]
    for broken in (b"", b"text", bz2.compress(line)[:-5], bz2.compress(line[:-9]), bz2.compress(b"one two")):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match="Download it again"):
            read_libsvm(path)


@pytest.mark.extra("vision")
def test_the_set_is_torchvisions(data_root: Path) -> None:
    from torchvision.datasets import USPS

    reference = USPS(data_root / "usps", train=False)
    raw = Usps(root=data_root / "usps").load()
    assert raw.inputs.shape == (9298, 16, 16) and raw.test.sum() == 2007
    assert (raw.inputs[raw.test] == reference.data).all()
    assert (raw.labels[raw.test].astype(int) == reference.targets).all()
