"""Vectors of numbers, standardised by the source."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from limbeck.core import UsageError
from limbeck.data._arrays import check_finite, read_array
from limbeck.data._data import Inputs, Preprocessing
from limbeck.data._mapped import Mapped, Moments, chunks, transformed

__all__ = ["VectorPreprocessing"]


class VectorPreprocessing(Preprocessing):
    """Arrays [n, d] as float32 [n, d], each feature centred and divided by its deviation on the source.

    A feature that is constant on the source is only centred. normalise: False changes nothing but
    the type.

    >>> VectorPreprocessing().fit(np.array([[0.0], [2.0]])).transform(np.array([[3.0]])).tolist()
    [[2.0]]
    """

    def __init__(self, normalise: bool = True):
        self.normalise = normalise

    def fit(self, inputs: Inputs) -> Self:
        values = _checked(inputs)
        width = values.shape[1]
        self.mean, self.deviation = [0.0] * width, [1.0] * width
        if self.normalise:
            moments, first, varies = Moments(), values[:1], np.zeros(width, dtype=bool)
            for chunk in chunks(values):
                moments.add(chunk.T)
                varies |= (chunk != first).any(axis=0)
            self.mean = moments.mean.tolist()
            self.deviation = np.where(varies, moments.deviation, 1.0).tolist()
        return self

    def transform(self, inputs: Inputs) -> Tensor:
        values = _checked(inputs)
        if values.shape[1] != len(self.mean):
            raise UsageError(f"The source has {len(self.mean)} features a sample, here are {values.shape[1]}.")
        mean, deviation = np.array(self.mean), np.array(self.deviation)

        def scaled(rows: np.ndarray) -> Tensor:
            return torch.from_numpy(((rows.astype(np.float64) - mean) / deviation).astype(np.float32))

        return transformed(values, (len(mean),), scaled)

    def matched(self, inputs: Inputs, names: Collection[str] | None = None) -> Self:
        """Each feature by its mean and deviation here."""
        if names is not None:
            raise UsageError("The 'match' of the recipe is units, which is for tables. Use columns for vectors.")
        if not self.normalise:
            raise UsageError("The 'match' of the recipe is columns, and by 'scale' these vectors are not scaled.")
        return type(self)().fit(inputs)

    def state(self) -> dict[str, Any]:
        return {"kind": "vectors", "mean": self.mean, "deviation": self.deviation}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        made = cls()
        made.mean, made.deviation = list(state["mean"]), list(state["deviation"])
        return made

    def read(self, path: Path) -> np.ndarray | Mapped:
        """An array from a .npy file, inputs.npy of a folder, or `inputs` of a .npz file."""
        return _checked(read_array(path))


def _checked(inputs: Inputs) -> np.ndarray | Mapped:
    if not isinstance(inputs, np.ndarray | Mapped) or inputs.ndim != 2 or inputs.dtype.kind not in "biuf":
        raise UsageError(f"Vectors are numbers [n, d]. Got {type(inputs).__name__} {list(inputs.shape)}.")
    check_finite(inputs)
    return inputs
