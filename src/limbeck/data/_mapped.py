"""Arrays that stay in their file: rows come into memory a few at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from limbeck.core.files import writing

__all__ = ["Mapped", "Moments", "chunks", "transformed", "written"]

CHUNK = 1 << 20
"""So many numbers are worked on at once."""


class Mapped:
    """Rows [n, ...] of an array in a .npy file, in the order of `rows`; what is indexed comes into memory as a copy.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/inputs.npy", np.arange(8.0).reshape(4, 2))
    ...     mapped = Mapped(np.load(f"{folder}/inputs.npy", mmap_mode="r")).take(np.array([3, 1]))
    ...     len(mapped), mapped.shape, mapped[0:1].tolist()
    (2, (2, 2), [[6.0, 7.0]])
    """

    def __init__(self, array: np.memmap, rows: np.ndarray | None = None):
        self.array = array
        self.rows = rows

    def __len__(self) -> int:
        return len(self.array if self.rows is None else self.rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return np.array(self.array[rows if self.rows is None else self.rows[rows]])

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.array.shape[1:])

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    @property
    def scratch(self) -> Path:
        """Where what is made of these rows is written: beside them, or where temporary files go."""
        beside = Path(str(self.array.filename)).parent if self.array.filename else None
        return beside if beside is not None and os.access(beside, os.W_OK) else Path(tempfile.gettempdir())

    def take(self, rows: np.ndarray) -> Mapped:
        """Some of the rows, a mask or numbers; nothing is read."""
        own = np.arange(len(self)) if self.rows is None else self.rows
        return Mapped(self.array, own[rows])


class Moments:
    """Mean and deviation of columns that come in chunks, in float64, merged as by Chan, Golub and LeVeque (1979).

    >>> moments = Moments()
    >>> moments.add(np.array([[1.0, 2.0]]))
    >>> moments.add(np.array([[6.0]]))
    >>> moments.mean.tolist(), (moments.deviation**2).round(4).tolist()
    ([3.0], [4.6667])
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray = np.zeros(())
        self.squares: np.ndarray = np.zeros(())

    def add(self, values: np.ndarray) -> None:
        """Take in [d, n] numbers, n of each column."""
        values = values.astype(np.float64, copy=False)
        more = values.shape[1]
        mean = values.mean(axis=1)
        squares = np.square(values - mean[:, None]).sum(axis=1)
        before, self.count = self.count, self.count + more
        apart = mean - self.mean
        self.mean = self.mean + apart * (more / self.count)
        self.squares = self.squares + squares + np.square(apart) * (before * more / self.count)

    @property
    def deviation(self) -> np.ndarray:
        """[d], of all that was taken in (divided by its number)."""
        return np.sqrt(self.squares / self.count)


def chunks(inputs: np.ndarray | Mapped) -> Iterator[np.ndarray]:
    """The rows in their order, cut alike wherever they lie, so that sums over them agree to the last bit."""
    step = max(1, CHUNK // max(1, int(np.prod(inputs.shape[1:], dtype=np.int64))))
    return (inputs[start : start + step] for start in range(0, len(inputs), step))


def transformed(inputs: np.ndarray | Mapped, shape: tuple[int, ...], change: Callable[[np.ndarray], Tensor]) -> Tensor:
    """What `change` makes of each chunk, float32 [n, *shape]: in a file where the inputs lie in one, else in memory.

    The file has no name and goes with the tensor. `RunError` where the disk is full.
    """
    made = (change(chunk) for chunk in chunks(inputs))
    if isinstance(inputs, Mapped) and len(inputs):
        return written(made, (len(inputs), *shape), inputs.scratch)
    result, start = torch.empty(len(inputs), *shape), 0
    for part in made:
        result[start : start + len(part)] = part
        start += len(part)
    return result


def written(parts: Iterator[Tensor], shape: tuple[int, ...], folder: Path) -> Tensor:
    """The parts, float32, in a file of `folder` that has no name and goes with the tensor.

    Never through the map, as a full disk would then be a signal; copy on write, as torch knows no read-only one.
    `RunError` where the disk is full.
    """
    with writing(folder), tempfile.TemporaryFile(dir=folder) as file:
        for part in parts:
            file.write(part.contiguous().numpy().data)
        file.flush()
        return torch.from_numpy(np.asarray(np.memmap(file, np.float32, "c", shape=shape)))
