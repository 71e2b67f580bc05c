"""Arrays on disk and in memory: reading without pickles, and no NaN."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from limbeck.core import UsageError
from limbeck.data._mapped import Mapped, chunks

__all__ = ["MAPPED_FROM", "check_finite", "is_large", "read_array", "read_arrays", "read_folder"]

MAPPED_FROM = 1 << 30
"""From so many bytes on, as float32, inputs stay in their file where nobody says otherwise."""


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of `names` that an .npz file holds; the first must be there. Nothing is unpickled."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {names[0]: loaded}
        with loaded:
            found = {name: loaded[name] for name in names if name in loaded}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} cannot be read as arrays of numbers or texts: {error}") from error
    if names[0] not in found:
        raise UsageError(f"{path} has no array {names[0]!r}. It has: {', '.join(loaded.files)}.")
    return found


def read_array(path: Path) -> np.ndarray | Mapped:
    """The array of a .npy file, or inputs.npy of a folder, left there where it is large, or `inputs` of an .npz."""
    path = path / "inputs.npy" if path.is_dir() else path
    if path.suffix == ".npy" and path.is_file():
        mapped = _map(path)
        return mapped if is_large(mapped) else mapped[:]
    return read_arrays(path, ("inputs",))["inputs"]


def read_folder(folder: Path, names: tuple[str, ...]) -> dict[str, np.ndarray | Mapped]:
    """Those of `names` that are .npy files of a folder; the first must be there, and stays in its file.

    `folder` may be that first file itself.
    """
    if folder.suffix == ".npy":
        return {names[0]: _map(folder)}
    first, *others = ((name, folder / f"{name}.npy") for name in names)
    if not first[1].is_file():
        raise UsageError(f"The folder {folder} has no file {first[1].name}.")
    found = {name: read_arrays(file, (name,))[name] for name, file in others if file.is_file()}
    return {**found, first[0]: _map(first[1])}


def is_large(inputs: np.ndarray | Mapped) -> bool:
    """Whether it takes much memory as float32."""
    return 4 * int(np.prod(inputs.shape, dtype=np.int64)) > MAPPED_FROM


def _map(path: Path) -> Mapped:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise UsageError(f"{path} cannot be read as an array of numbers: {error}") from error
    if not array.ndim:
        raise UsageError(f"{path} holds a single number, and samples are rows.")
    return Mapped(array)


def check_finite(inputs: np.ndarray | Mapped, dtype: type[np.floating] = np.float64) -> None:
    """`UsageError` with the number of rows that hold NaN or infinity in that type, and the first of them."""
    if inputs.dtype.kind != "f":
        return
    bad, seen, first = 0, 0, 0
    for chunk in chunks(inputs):
        rows = np.flatnonzero(~np.isfinite(chunk.astype(dtype, copy=False)).reshape(len(chunk), -1).all(axis=1))
        first = seen + int(rows[0]) if len(rows) and not bad else first
        bad, seen = bad + len(rows), seen + len(chunk)
    if bad:
        raise UsageError(
            f"{bad} of {len(inputs)} rows hold NaN or infinity, the first is row {first}. Remove them or fill the gaps."
        )
