"""Where the files of well-known sets are looked for, and what is said when they are nowhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.data._downloads import digit_domain, find_files


def refuse(folder: Path) -> None:
    raise OSError("no network")


def test_the_order_is_root_or_data_then_cache_then_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LIMBECK_DATA", str(tmp_path / "data"))
    cache, data, root = tmp_path / "home/.cache/limbeck/raw", tmp_path / "data/toy", tmp_path / "root"

    def download(folder: Path) -> None:
        (folder / "raw").mkdir(parents=True)
        (folder / "raw" / "a").touch()

    assert find_files("toy", ["a"], None, "raw", download) == [cache / "a"]
    assert find_files("toy", ["a"], None, "raw", refuse) == [cache / "a"]
    data.mkdir(parents=True)
    (data / "a").touch()
    assert find_files("toy", ["a"], None, "raw", refuse) == [data / "a"]
    with pytest.raises(UsageError, match="Put them there, or leave out 'root'"):
        find_files("toy", ["a"], root, "raw", refuse)


def test_without_files_and_network_the_mend_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LIMBECK_DATA", raising=False)
    with pytest.raises(UsageError, match=r"toy needs the files a, b, .*no network.*'root'.*LIMBECK_DATA"):
        find_files("toy", ["a", "b"], None, "raw", refuse)
    assert not any(tmp_path.iterdir())


def test_limit_draws_training_images_by_class_and_leaves_the_test() -> None:
    numbers = np.repeat(np.arange(10), 20)
    images = np.arange(200, dtype=np.uint8)[:, None, None].repeat(2, 1)
    raw = digit_domain("toy", (images, numbers), (images[:7], numbers[:7]), 50)
    assert len(raw) == 57 and raw.test.sum() == 7
    assert np.bincount(raw.labels[:50].astype(int)).tolist() == [5] * 10
    assert (images[:, 0, 0][raw.inputs[:50, 0, 0]] // 20 == raw.labels[:50].astype(int)).all()
    assert raw.notes == ("50 of 200 training images are used.",)
    assert len(digit_domain("toy", (images, numbers), (images[:7], numbers[:7]), 500)) == 207
