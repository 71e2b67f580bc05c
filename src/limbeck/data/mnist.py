"""MNIST: 60,000 + 10,000 scanned digits of 28×28."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from limbeck.core import UsageError
from limbeck.data import Data, Preprocessing, Raw
from limbeck.data._downloads import digit_domain, find_files
from limbeck.data._images import ImagePreprocessing

__all__ = ["Mnist"]

FILES = tuple(f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1"))


class Mnist(Data):
    """The digits of LeCun et al. 1998, with their official test split.

    limit: that many of the training images, drawn by class, always the same; the 10,000 test
    images stay whole. root: the folder of the four .gz files as they are distributed; without it
    $LIMBECK_DATA/mnist and ~/.cache/limbeck are looked at, and torchvision downloads them there.
    size: of the images after preparation, for both domains where this is the source.

    >>> Mnist(limit=6000).preprocessing().size
    28
    """

    def __init__(
        self,
        limit: Annotated[int, Ge(10)] | None = None,
        root: Path | str | None = None,
        size: Annotated[int, Ge(1)] = 28,
    ):
        self.limit = limit
        self.root = None if root is None else Path(root)
        self.size = size

    def load(self) -> Raw:
        arrays = [read_idx(file) for file in find_files("mnist", FILES, self.root, "MNIST/raw", _download)]
        return digit_domain("mnist", (arrays[0], arrays[1]), (arrays[2], arrays[3]), self.limit)

    def preprocessing(self) -> Preprocessing:
        return ImagePreprocessing(self.size)


def read_idx(path: Path) -> np.ndarray:
    """The bytes of a gzipped IDX file (big-endian: 0, 0, 8 for bytes, dimensions, their sizes) as an array."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} is not a whole .gz file: {error}. Download it again.") from error
    dimensions = content[3] if content[:3] == b"\x00\x00\x08" else 0
    shape = np.frombuffer(content[4 : 4 + 4 * dimensions], dtype=">i4").astype(int)
    if not dimensions or len(content) != 4 + 4 * dimensions + shape.prod():
        raise UsageError(f"{path} is not an IDX file of bytes. Download it again.")
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _download(folder: Path) -> None:
    from torchvision.datasets import MNIST

    MNIST(folder, download=True)
