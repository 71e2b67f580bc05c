"""A domain: samples, splits, and labels that are sealed on the target."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from limbeck.core.errors import SealedLabelsError, UsageError, did_you_mean
from limbeck.core.seeds import generator, resampled, some_of
from limbeck.core.task import Task

__all__ = ["Domain", "DomainView", "Opening"]

SOURCE_SPLITS = ("train", "selection", "test")
TARGET_SPLITS = ("labelled", "train", "selection", "test")


@dataclass(frozen=True)
class Opening:
    """One reading of sealed target labels: a line of the audit in results.json."""

    domain: str
    split: str
    samples: int
    purpose: str
    row: str | None
    when: str


@dataclass(frozen=True)
class DomainView:
    """What training may see of a domain: all inputs, the splits, and only the labels opened for it.

    mapped: the inputs lie in a file, of which only what is read comes into memory. weights: [N], how much each
    sample counts where it trains, None where all count alike. domains: [N, domains] which of several source
    domains each sample is of, as in `Batch`.
    """

    name: str
    inputs: Tensor
    splits: Mapping[str, Tensor]
    opened: Mapping[str, Tensor] = field(default_factory=dict)
    mapped: bool = False
    weights: Tensor | None = None
    domains: Tensor | None = None

    def training(self) -> tuple[Tensor, Tensor]:
        """The rows that train, and their labels; weighted ones as often as they weigh, drawn once."""
        rows, labels = self.splits["train"], self.labels("train")
        if self.weights is None:
            return rows, labels
        places = torch.from_numpy(resampled(self.weights[rows].numpy(), generator(0, "weighted", self.name)))
        return rows[places], labels[places]

    def labels(self, split: str) -> Tensor:
        """Labels of a split, in the order of `splits[split]`; `SealedLabelsError` where they are sealed."""
        if split not in self.opened:
            raise SealedLabelsError(
                f"The labels of {self.name}, split {split!r}, are sealed. Training sees the labels of the source and "
                "of the target's labelled split alone."
            )
        return self.opened[split]


class Domain:
    """Samples of one domain with their splits.

    inputs: [N, ...] float32, cleaned and scaled; mapped: they lie in a file, as for a view. raw:
    what the data part read, N rows, for teachers that bring a preprocessing of their own.
    labels: [N], int64 class numbers or float32 values, -1 or NaN where a sample has none; None
    where the whole domain has none. origins: [N], the name of the source that a sample is of, where there are several.

    Of several sources `weights` [N] says how much each sample counts in training, and `shares` how much each source;
    None and nothing where all samples count alike.

    A source has the splits train, selection and test and its labels are open. A target has
    labelled, train, selection and test; its labels can be read through `open` alone, and each
    reading is told to `on_open`, for the audit.

    domains: [N] which of several source domains each sample is of, 0, 1, …; None where it is one.
    """

    def __init__(
        self,
        name: str,
        role: Literal["source", "target"],
        inputs: Tensor,
        labels: np.ndarray | None,
        task: Task,
        splits: Mapping[str, np.ndarray],
        raw: Any = None,
        notes: Sequence[str] = (),
        mapped: bool = False,
        origins: np.ndarray | None = None,
    ):
        expected = SOURCE_SPLITS if role == "source" else TARGET_SPLITS
        assert set(splits) == set(expected), f"a {role} has the splits {expected}"
        self.name = name
        self.role = role
        self.inputs = inputs
        self.task = task
        self.raw = raw
        self.notes = tuple(notes)
        self.mapped = mapped
        self.origins = origins
        self.weights: Tensor | None = None
        self.shares: dict[str, float] = {}
        self.domains = None if role == "target" or origins is None else _one_hot(origins)
        self.splits = {split: np.asarray(splits[split], dtype=np.int64) for split in expected}
        self.on_open: Callable[[Opening], None] | None = None
        self.labelled = labels is not None
        self.__labels = labels

    def __len__(self) -> int:
        return self.inputs.shape[0]

    def __getstate__(self) -> object:
        raise SealedLabelsError(f"The domain {self.name} holds sealed labels and is not pickled: pass a view of it.")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.inputs.shape[1:])

    def split_inputs(self, split: str, limit: int | None = None) -> Tensor:
        """The inputs of one split, or of `limit` of its samples (`some_of`), [n, ...] in memory."""
        rows = self._rows(split)
        return self.inputs[torch.from_numpy(rows if limit is None else rows[some_of(len(rows), limit)])]

    def open(self, split: str, purpose: str, row: str | None = None) -> Tensor:
        """Labels of a split, [n]: int64 classes, or float32 values in the user's unit.

        On a target each call is told to `on_open`, but for the labelled split, whose size the
        recipe declares and every table shows.
        """
        rows = self._rows(split)
        if self.__labels is None:
            raise UsageError(f"The domain {self.name} has no labels, and {purpose} needs those of its {split} split.")
        if self.role == "target" and split != "labelled" and self.on_open is not None:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            self.on_open(Opening(self.name, split, len(rows), purpose, row, now))
        dtype = torch.int64 if self.task.is_classification else torch.float32
        return torch.as_tensor(self.__labels[rows], dtype=dtype)

    @property
    def sources(self) -> list[str]:
        """The names of the sources that this domain was put together of; itself, where it is one."""
        return [self.name] if self.origins is None else list(dict.fromkeys(self.origins.tolist()))

    def of(self, origin: str | None) -> Domain:
        """This source with the samples of one origin alone in its splits; itself for None."""
        if origin is None:
            return self
        assert self.role == "source" and self.origins is not None, "only several sources have origins"
        splits = {split: rows[self.origins[rows] == origin] for split, rows in self.splits.items()}
        part = Domain(origin, "source", self.inputs, self.__labels, self.task, splits, self.raw, (), self.mapped)
        part.weights = self.weights
        return part

    def view(self, opened: Sequence[str] = (), purpose: str = "training", row: str | None = None) -> DomainView:
        """What training may see: the inputs, and labels of the source, the labelled split and `opened`.

        Values to regress are given as the network learns them, `(value - offset) / scale`.
        """
        free = SOURCE_SPLITS if self.role == "source" else ("labelled",)
        readable = (*free, *opened) if self.labelled else tuple(opened)
        labels = {split: self.open(split, purpose, row) for split in dict.fromkeys(readable) if len(self._rows(split))}
        if not self.task.is_classification:
            labels = {split: (value - self.task.offset) / self.task.scale for split, value in labels.items()}
        splits = {split: torch.from_numpy(rows) for split, rows in self.splits.items()}
        return DomainView(self.name, self.inputs, splits, labels, self.mapped, self.weights, self.domains)

    def _rows(self, split: str) -> np.ndarray:
        if split not in self.splits:
            raise UsageError(f"The {self.role} {self.name} has no split {split!r}. {did_you_mean(split, self.splits)}")
        return self.splits[split]


def _one_hot(origins: np.ndarray) -> Tensor | None:
    """[N, sources], True where a sample is of a source, in the order of their first samples; None for one source."""
    names = list(dict.fromkeys(origins.tolist()))
    return torch.from_numpy(np.stack([origins == name for name in names], 1)) if len(names) > 1 else None
