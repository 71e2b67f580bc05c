"""Files are whole or absent, and a full disk says so."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest

from limbeck.core import RunError, files
from limbeck.core.files import atomic_folder, atomic_path, read_json, sweep, write_json, write_text, writing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    for value in ({"x": 1}, {"x": [1.5, None, "ü"]}):
        write_json(path, value)
        assert read_json(path) == value
    assert names(path.parent) == ["c.json"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_inside_leaves_the_old_file_and_no_other(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == ["kept.txt"]


@pytest.mark.parametrize("where", ["fsync", "replace", "write"])
@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.ENOSPC, "disk is full: free some space and start the same command again"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EROFS, "read-only: name another folder with --runs"),
        (errno.EACCES, "no permission"),
    ],
)
def test_a_full_or_closed_disk_is_told_with_the_mend(
    where: str, code: int, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")

    def fails(*arguments: object, **more: object) -> None:
        raise OSError(code, os.strerror(code))

    owner, name = {"fsync": (os, "fsync"), "replace": (Path, "replace"), "write": (Path, "write_text")}[where]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fails)
        with pytest.raises(RunError, match=mend) as caught:
            write_text(path, "new")
    assert str(path) in str(caught.value)
    assert path.read_text() == "old" and names(tmp_path) == ["kept.txt"]


def test_a_path_through_a_file_is_told(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "")
    for inside in ("inside.txt", "deeper/inside.txt"):
        with pytest.raises(RunError, match="A part of the path is a file"):
            write_text(tmp_path / "file" / inside, "")


def test_another_error_of_the_system_is_not_renamed() -> None:
    with pytest.raises(FileNotFoundError), writing("x"):
        open("/no/such/file").close()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [math.nan]}])
def test_what_is_not_json_is_refused_and_nothing_is_written(value: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "x.json", value)
    assert not names(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(RunError, match=r"x\.json is damaged"):
        read_json(tmp_path / "x.json")


def test_everything_is_on_disk_before_the_old_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("flush"), fsync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (done.append("rename"), replace(self, to))[1])
    write_text(tmp_path / "x", "new")
    assert done == ["flush", "rename", "flush"]


def test_a_folder_takes_its_place_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "made"
    for text in ("old", "new"):
        with atomic_folder(path) as temporary:
            (temporary / "below").mkdir()
            (temporary / "below" / text).write_text(text)
            assert names(path.parent) != ["made"] and (not path.exists() or names(path / "below") == ["old"])
        assert names(path / "below") == [text] and names(path.parent) == ["made"]
    assert path.stat().st_mode & 0o777 == 0o777 & ~_umask()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_inside_leaves_the_old_folder_and_no_other(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.mkdir()
    (path / "file").write_text("old")
    with pytest.raises(error), atomic_folder(path) as temporary:
        (temporary / "file").write_text("half")
        raise error
    assert names(tmp_path) == ["kept"] and (path / "file").read_text() == "old"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="A part of the path is a file"), atomic_folder(tmp_path / "file" / "made"):
        pass


class DeadError(BaseException):
    """Stands for a kill: what the block has made stays where it is."""


def left_behind(path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool) -> None:
    """What a writer leaves that is killed in its block."""
    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "rmtree", lambda *_, **__: None)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(DeadError), (atomic_folder if folder else atomic_path)(path) as temporary:
            (temporary / "part" if folder else temporary).write_text("half")
            raise DeadError


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    kept = [tmp_path / name for name in (".lock", "deep/.hidden", "deep/a.json", ".name.with.dots", "deep/.x.Backup99")]
    for path in kept:
        path.write_text("mine")
    for place, folder in (("deep/weights.safetensors", False), ("plain", False), ("deep/export", True)):
        left_behind(tmp_path / place, monkeypatch, folder)
    assert len(list(tmp_path.rglob("*"))) > len(kept) + 3
    sweep(tmp_path)
    assert set(tmp_path.rglob("*")) == {*kept, tmp_path / "deep"}


def test_a_folder_between_its_two_moves_is_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace = tmp_path / "export", Path.replace
    path.mkdir()
    (path / "file").write_text("old")

    def killed(self: Path, target: Path) -> Path:
        if self.name == "made":
            raise DeadError
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(files.shutil, "rmtree", lambda *_, **__: None)
        patch.setattr(Path, "replace", killed)
        with pytest.raises(DeadError), atomic_folder(path) as made:
            (made / "file").write_text("new")
    assert not path.exists()
    sweep(tmp_path)
    assert (path / "file").read_text() == "new" and list(tmp_path.iterdir()) == [path]
