from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from torch import Tensor

from limbeck.core import UsageError
from limbeck.core.tables import pd
from limbeck.data._mapped import Mapped

__all__ = ["Data", "Preprocessing", "Raw"]

Inputs: TypeAlias = "pd.DataFrame | np.ndarray | Mapped"


@dataclass(frozen=True)
class Raw:
    """One domain as it was read, before cleaning.

    inputs: N rows of a table, or an array [N, ...], which may lie in a file. labels: [N] class names as strings, or
    floats to regress (None: the domain has none; a missing label is None or NaN). classes: the
    names in the order of the outputs, None for regression or where there are no labels. groups:
    [N] samples of one group stay in one split. test: [N] bool, an official test split. origins: [N] the name of
    the source that a sample is of, where several are one domain.
    notes: what was done while reading, in sentences for the report.
    """

    name: str
    inputs: Inputs
    labels: np.ndarray | None
    kind: Literal["classification", "regression"]
    classes: tuple[str, ...] | None = None
    groups: np.ndarray | None = None
    test: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    origins: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.inputs)


class Preprocessing(ABC):
    """From raw inputs to a float tensor: fitted on the source, applied everywhere, saved with the student."""

    @abstractmethod
    def fit(self, inputs: Inputs) -> Self:
        """Learn from the source's training rows; returns itself."""

    @abstractmethod
    def transform(self, inputs: Inputs) -> Tensor:
        """float32 [n, ...]; `UsageError` where inputs do not fit what was learnt."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was learnt, as JSON."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""

    @abstractmethod
    def read(self, path: Path) -> Inputs:
        """Raw inputs from a file of the user's, for `limbeck predict`."""

    @property
    def notes(self) -> list[str]:
        """What was left out or decided while fitting, in sentences."""
        return []

    def meet(self, inputs: Inputs) -> list[str]:
        """Look at the target's inputs once: how they differ from the source's, in sentences.

        It may remember what new files from there will lack, and never changes what was fitted.
        """
        return []

    def foreign(self, inputs: Inputs) -> list[str]:
        """The numbers that lie on another scale in these inputs than in the source's, by name."""
        return []

    def matched(self, inputs: Inputs, names: Collection[str] | None = None) -> Self:
        """The same for another domain, each number by its own mean and deviation; `UsageError` where there is none.

        names: these alone, of `foreign`; all where it is None.
        """
        raise UsageError("The 'match' of the recipe is for the numbers of tables and vectors. Leave 'match' out.")


class Data(ABC):
    """The base of the room: reads one domain and says how its inputs are prepared."""

    @abstractmethod
    def load(self) -> Raw:
        """Read the domain; `UsageError` names the file and the column when something is not there."""

    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """A new, unfitted preprocessing with this part's settings."""
