"""Well-known sets of images: where their files lie, or how they come here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from limbeck.core import UsageError, generator
from limbeck.data._data import Raw
from limbeck.data._reading import expanded
from limbeck.data._splits import stratified_choice

__all__ = ["digit_domain", "find_files"]


def find_files(
    name: str, files: Sequence[str], root: Path | None, cache: str, download: Callable[[Path], object]
) -> list[Path]:
    """The files of a set: in `root`; else in $LIMBECK_DATA/<name>, in ~/.cache/limbeck, or downloaded there.

    cache: the folder below ~/.cache/limbeck where `download` (which gets ~/.cache/limbeck) puts
    them. Nothing is written to `root` or LIMBECK_DATA. `UsageError` says what to put where.
    """
    kept = Path.home() / ".cache" / "limbeck"
    folders = [expanded(root)] if root is not None else [kept / cache]
    if root is None and os.environ.get("LIMBECK_DATA"):
        folders.insert(0, Path(os.environ["LIMBECK_DATA"]) / name)
    for folder in folders:
        if all((folder / file).is_file() for file in files):
            return [folder / file for file in files]
    wanted = f"{name} needs the files {', '.join(files)}, which are not in {' or '.join(map(str, folders))}"
    if root is not None:
        raise UsageError(f"{wanted}. Put them there, or leave out 'root'.")
    try:
        download(kept)
    except (ImportError, OSError, RuntimeError) as error:
        raise UsageError(
            f"{wanted}, and the download failed ({error}). Put them into one folder, and name it by 'root', or name "
            f"the folder above <folder>/{name} by the environment variable LIMBECK_DATA; or install torchvision "
            "(pip install 'limbeck[vision]') and connect to the network."
        ) from error
    return [kept / cache / file for file in files]


def digit_domain(
    name: str, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], limit: int | None
) -> Raw:
    """A domain of digits out of (images, numbers): at most `limit` training images, all test images.

    The training images are drawn once, by class, with a seed that is always the same.
    """
    images, numbers = train
    notes: tuple[str, ...] = ()
    if limit is not None and limit < len(images):
        chosen = stratified_choice(numbers, limit, generator(0, name, "limit"))
        images, numbers = images[chosen], numbers[chosen]
        notes = (f"{limit} of {len(chosen)} training images are used.",)
    inputs = np.concatenate([images, test[0]])
    labels = np.array([str(number) for number in range(10)], dtype=object)[np.concatenate([numbers, test[1]])]
    official = np.arange(len(inputs)) >= len(images)
    return Raw(name, inputs, labels, "classification", tuple("0123456789"), test=official, notes=notes)
