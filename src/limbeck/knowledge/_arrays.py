"""Arrays of a store: plain `.npy` files, written in place by rows and read as memory maps."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limbeck.core import RunError
from limbeck.core.files import atomic_path
from limbeck.knowledge._keeping import DTYPES

__all__ = ["ArrayFile", "Layout", "checksum_of", "file_name", "map_array", "map_plain", "save_array"]

STORED = {"fp32": "<f4", "fp16": "<f2", "bf16": "<u2", "uint8": "|u1", "int16": "<i2", "int32": "<i4"}
"""NumPy has no bf16: its bits are stored as unsigned integers, and the manifest tells so."""

PIECE = 1 << 24


def file_name(name: str) -> str:
    """A file name for an array, the same for the same name and never the same for two.

    >>> file_name("layer4.1")
    'layer4.1.npy'
    >>> file_name("body/pool")
    'body_pool-03c7f52b.npy'
    """
    safe = re.sub(r"^\.|[^A-Za-z0-9._-]", "_", name)
    return f"{safe}.npy" if safe == name else f"{safe}-{zlib.crc32(name.encode()):08x}.npy"


@dataclass(frozen=True)
class Layout:
    """Where an array lies and what it is: its type is a key of `DTYPES`, its first axis view · rows + row."""

    file: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return DTYPES[self.dtype].itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    @property
    def header(self) -> bytes:
        content = io.BytesIO()
        about = {"descr": STORED[self.dtype], "fortran_order": False, "shape": self.shape}
        np.lib.format.write_array_header_1_0(content, about)
        return content.getvalue()

    @property
    def size(self) -> int:
        return len(self.header) + self.shape[0] * self.row_bytes


class ArrayFile:
    """An array open for writing by rows. Never through a map: on a full disk that is a signal, not an error."""

    def __init__(self, folder: Path, layout: Layout):
        self.layout = layout
        self.offset = len(layout.header)
        path = folder / layout.file
        fits = path.is_file() and path.stat().st_size == layout.size
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not fits or os.pread(self.handle, self.offset, 0) != layout.header:
            os.ftruncate(self.handle, 0)
            self._write(0, layout.header)
            os.ftruncate(self.handle, layout.size)
            os.fsync(self.handle)

    def write(self, row: int, values: Tensor, checksum: int) -> int:
        """Write rows [n, ...] from `row` on; the checksum of these and of what `checksum` covers."""
        content = values.reshape(-1).view(torch.uint8).numpy().data
        self._write(self.offset + row * self.layout.row_bytes, content)
        return zlib.crc32(content, checksum)

    def _write(self, offset: int, content: bytes | memoryview) -> None:
        left = memoryview(content)
        while left:
            done = os.pwrite(self.handle, left, offset)
            left, offset = left[done:], offset + done

    def flush(self) -> None:
        os.fsync(self.handle)

    def close(self) -> None:
        os.close(self.handle)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError) as error:
        raise RunError(
            f"The stored knowledge {path} cannot be read: {error}. "
            f"Run the same command again, which computes it anew, or remove {path.parent}."
        ) from error


def map_array(folder: Path, layout: Layout) -> Tensor:
    """A memory map of the array as a tensor; `RunError` where the file is not what `layout` says.

    Copy on write, since a tensor on a read-only map cannot be had without a warning.
    """
    path = folder / layout.file
    with _named(path):
        if path.stat().st_size != layout.size:
            raise ValueError(f"it has {path.stat().st_size} bytes, not {layout.size}")
        array = np.lib.format.open_memmap(path, mode="c")
        if array.shape != layout.shape or array.dtype.str != STORED[layout.dtype]:
            raise ValueError(f"it holds {array.dtype.str} {array.shape}")
    return torch.from_numpy(np.asarray(array)).view(DTYPES[layout.dtype])


def map_plain(path: Path) -> Tensor:
    """A small array of a store, such as its rows, in memory."""
    with _named(path):
        return torch.from_numpy(np.load(path, allow_pickle=False))


def checksum_of(folder: Path, layout: Layout, first: int, rows: int) -> int | None:
    """CRC-32 of a range of rows as they lie on disk; None where the file cannot give them."""
    path = folder / layout.file
    if not path.is_file() or path.stat().st_size != layout.size:
        return None
    offset, left, checksum = len(layout.header), rows * layout.row_bytes, 0
    with path.open("rb") as file:
        if file.read(offset) != layout.header:
            return None
        file.seek(offset + first * layout.row_bytes)
        while left and (content := file.read(min(PIECE, left))):
            checksum, left = zlib.crc32(content, checksum), left - len(content)
    return None if left else checksum


def save_array(path: Path, values: Tensor) -> None:
    """Write a small array, whole or not at all."""
    content = io.BytesIO()  # on a full disk NumPy's own writer raises an error that does not say so
    np.save(content, values.cpu().numpy(), allow_pickle=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())
