"""Arrays on disk and in memory: reading without pickles, and no NaN."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from limbeck.core import UsageError

__all__ = ["check_finite", "read_array", "read_arrays"]


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


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file, or `inputs` of an .npz file."""
    return read_arrays(path, ("inputs",))["inputs"]


def check_finite(array: np.ndarray) -> None:
    """`UsageError` with the number of rows that hold NaN or infinity, and the first of them."""
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise UsageError(
            f"{bad.sum()} of {len(array)} rows hold NaN or infinity, the first is row {np.flatnonzero(bad)[0]}. "
            "Remove them or fill the gaps."
        )
