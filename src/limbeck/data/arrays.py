"""Arrays from Python, from an .npz file, or from .npy files that may be larger than memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from limbeck.core import UsageError, bad_value
from limbeck.core.tables import pd
from limbeck.data import Data, Preprocessing, Raw
from limbeck.data._arrays import is_large, read_arrays, read_folder
from limbeck.data._images import ImagePreprocessing
from limbeck.data._labels import Labels, read_labels
from limbeck.data._mapped import Mapped
from limbeck.data._reading import expanded
from limbeck.data._tables import TablePreprocessing
from limbeck.data._vectors import VectorPreprocessing

__all__ = ["Arrays"]


class Arrays(Data):
    """Vectors [n, d], images [n, h, w] or [n, channels, h, w], or a pandas table, with labels [n].

    Either `inputs` from Python, or `path`: an .npz file with inputs and, where there are any,
    labels and groups; a folder with inputs.npy, and the same for those; or one .npy file of
    inputs alone. labels: names, numbers of `classes`, or values to regress; NaN or None is a
    missing one. task: as for csv. groups: [n], rows of one group stay in one split. scale:
    standard takes off the source's mean and divides by its deviation, per feature or, for images,
    per channel; none leaves the numbers as they are (bytes of images become [0, 1]). A table is
    always standardised.

    held: inputs of an .npy file, or of a `np.memmap` from Python, may be larger than memory. With
    "file" they are prepared once, in pieces, into a file of float32 of which only the rows in use
    are read; it has no name, lies beside them (where nothing may be written there, with the
    temporary files) and is gone when the run ends. "auto" does so where they take more than 1 GiB
    as float32. All results are the same, bit for bit.

    >>> Arrays(np.zeros((4, 2)), labels=["a", "b", "a", "b"], name="lab").load().labels.tolist()
    ['a', 'b', 'a', 'b']
    """

    def __init__(
        self,
        inputs: np.ndarray | Tensor | pd.DataFrame | None = None,
        labels: np.ndarray | Tensor | pd.Series | Sequence[Any] | None = None,
        groups: np.ndarray | Tensor | pd.Series | Sequence[Any] | None = None,
        classes: list[str] | None = None,
        path: Path | str | None = None,
        task: Literal["auto", "classification", "regression"] = "auto",
        scale: Literal["standard", "none"] = "standard",
        name: str | None = None,
        held: Literal["auto", "memory", "file"] = "auto",
    ):
        if classes is not None and len(set(classes)) < len(classes):
            raise bad_value("classes", "arrays", "different names", classes)
        if (inputs is None) == (path is None):
            raise UsageError("arrays needs either 'inputs' (from Python) or 'path' (a file, or a folder).")
        if path is not None and (labels is not None or groups is not None):
            raise UsageError(
                "The 'labels' and 'groups' of arrays stand in the file or folder at 'path'. Leave them out."
            )
        self.path = None if path is None else Path(path)
        self.classes = classes
        self.task: Literal["auto", "classification", "regression"] = task
        self.scale = scale
        self.name = name or (self.path.stem if self.path else "arrays")
        self.held = held
        self._given = {"inputs": inputs, "labels": labels, "groups": groups}

    def load(self) -> Raw:
        arrays = self._arrays()
        inputs, labels, groups = arrays["inputs"], arrays["labels"], arrays["groups"]
        self._preprocessing_of(inputs)
        for what, values in (("labels", labels), ("groups", groups)):
            if values is not None and values.shape != (len(inputs),):
                raise bad_value(what, self.name, f"one value for each of the {len(inputs)} inputs", list(values.shape))
        read = None if labels is None else self._labels(labels)
        return Raw(
            self.name,
            inputs,
            None if read is None else read.values,
            "classification" if read is None else read.kind,
            None if read is None else read.classes,
            groups,
        )

    def preprocessing(self) -> Preprocessing:
        return self._preprocessing_of(self._arrays()["inputs"])

    def _preprocessing_of(self, inputs: np.ndarray | Mapped | pd.DataFrame) -> Preprocessing:
        if isinstance(inputs, pd.DataFrame):
            return TablePreprocessing()
        if inputs.dtype.kind not in "biuf":
            raise UsageError(f"The 'inputs' of {self.name} must be numbers. Got an array of {inputs.dtype}.")
        if inputs.ndim == 2:
            return VectorPreprocessing(normalise=self.scale == "standard")
        if inputs.ndim in (3, 4):
            return ImagePreprocessing(normalise=self.scale == "standard")
        raise bad_value("inputs", self.name, "[n, d], [n, h, w] or [n, channels, h, w]", list(inputs.shape))

    def _arrays(self) -> dict[str, Any]:
        names = ("inputs", "labels", "groups")
        if self.path is None:
            found = {what: _plain(value) for what, value in self._given.items()}
            if isinstance(given := self._given["inputs"], np.memmap):
                found["inputs"] = Mapped(given)
        elif (path := expanded(self.path)).is_dir() or (path.suffix == ".npy" and path.is_file()):
            found = {**dict.fromkeys(names), **read_folder(path, names)}
        else:
            found = {**dict.fromkeys(names), **read_arrays(path, names)}
        return found | {"inputs": self._placed(found["inputs"])}

    def _placed(self, inputs: np.ndarray | Mapped | pd.DataFrame) -> np.ndarray | Mapped | pd.DataFrame:
        """The inputs in memory, or in the file that they lie in."""
        if isinstance(inputs, Mapped):
            return inputs if self.held == "file" or (self.held == "auto" and is_large(inputs)) else inputs[:]
        if self.held == "file":
            got = type(inputs).__name__ if self.path is None else str(self.path)
            raise UsageError(
                f"The inputs of {self.name} are held in a file only where they are an .npy file, a folder of such, or "
                f"a np.memmap. Got {got}. Write them by np.save, or set 'held' to memory."
            )
        return inputs

    def _labels(self, labels: np.ndarray) -> Labels:
        if self.classes is None:
            return read_labels(pd.Series(labels), self.task, f"the labels of {self.name}")
        if self.task == "regression":
            raise UsageError(f"The 'classes' of {self.name} are given, and the 'task' is regression. Leave one out.")
        if labels.dtype.kind in "biuf":
            numbers = {str(number): name for number, name in enumerate(self.classes)}
        else:
            numbers = {name: name for name in self.classes}
        values = pd.Series(labels.astype(np.int64) if labels.dtype.kind == "b" else labels)
        read = read_labels(values, "classification", f"the labels of {self.name} ('classes')", numbers)
        return Labels(read.values, "classification", tuple(self.classes))


def _plain(values: Any) -> Any:
    """The values as an array; tables stay as they are."""
    if values is None:
        return None
    if isinstance(values, pd.DataFrame):
        return values.reset_index(drop=True).rename(columns=str)
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, np.ndarray | pd.Series):
        return np.asarray(values)
    return np.asarray(values, dtype=object if any(isinstance(value, str) for value in values) else None)
