"""USPS: 7,291 + 2,007 digits of 16×16 from American envelopes."""

from __future__ import annotations

import bz2
import re
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from limbeck.core import UsageError
from limbeck.data import Data, Preprocessing, Raw
from limbeck.data._downloads import digit_domain, find_files
from limbeck.data._images import ImagePreprocessing

__all__ = ["Usps"]

FILES = ("usps.bz2", "usps.t.bz2")


class Usps(Data):
    """The digits of Hull 1994 as LIBSVM distributes them, with their official test split.

    limit: that many of the training images, drawn by class, always the same; the 2,007 test
    images stay whole. root: the folder of usps.bz2 and usps.t.bz2; without it
    $LIMBECK_DATA/usps and ~/.cache/limbeck are looked at, and torchvision downloads them there.
    size: of the images after preparation, for both domains where this is the source.

    >>> Usps(size=16).preprocessing().size
    16
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
        train, test = (read_libsvm(file) for file in find_files("usps", FILES, self.root, ".", _download))
        return digit_domain("usps", train, test, self.limit)

    def preprocessing(self) -> Preprocessing:
        return ImagePreprocessing(self.size)


def read_libsvm(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 16, 16] and numbers 0–9 out of lines `label 1:pixel … 256:pixel`, pixels in [-1, 1]."""
    try:
        cells = re.sub(rb"\d+:", b" ", bz2.decompress(path.read_bytes())).split()
        table = np.array(cells, dtype=np.float32).reshape(len(cells) // 257 or 1, 257)
    except (OSError, EOFError, ValueError) as error:
        raise UsageError(f"{path} is not a whole file of USPS digits: {error}. Download it again.") from error
    return ((table[:, 1:] + 1) / 2 * 255).astype(np.uint8).reshape(-1, 16, 16), table[:, 0].astype(np.int64) - 1


def _download(folder: Path) -> None:
    from torchvision.datasets import USPS

    folder.mkdir(parents=True, exist_ok=True)
    for train in (True, False):
        USPS(folder, train=train, download=True)
