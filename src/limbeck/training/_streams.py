"""Which samples each step reads: a function of (seed, stream, step) alone, so that a resumed run reads the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from limbeck.augmentations import Views
from limbeck.core import Batch, DomainView, Knowledge, UsageError, generator, resampled
from limbeck.knowledge import Reader

__all__ = ["Reading", "Samples", "StreamOrder", "streams_of"]


@dataclass(frozen=True)
class Reading:
    """What all streams of a training share. stores: knowledge by domain; views: what is shown, by stream."""

    batch_size: int
    seed: int
    stores: Mapping[str, Reader] = field(default_factory=dict)
    views: Mapping[str, Views] = field(default_factory=dict)
    channels_last: bool = False


class StreamOrder:
    """Endless shuffled passes over samples, cut into batches of equal size.

    rows: [n] the samples; labels: [n] theirs, where they may be seen. Every pass is a permutation
    of its own; a batch may reach over the end of one into the next, so that no sample is left out
    and every batch is full. weights: [n], how often each is in a pass, on average over the passes;
    a pass has n samples all the same.

    >>> order = StreamOrder(torch.arange(5), None, 2, seed=0, name="source")
    >>> parts = [index for step in range(5) for _, index, _ in order.passages(step)]
    >>> sorted(torch.cat(parts).tolist()) == sorted(list(range(5)) * 2)
    True
    """

    def __init__(
        self, rows: Tensor, labels: Tensor | None, batch_size: int, seed: int, name: str, weights: Tensor | None = None
    ):
        self.rows = rows
        self.labels = labels
        self.n = len(rows)
        self.batch_size = min(batch_size, self.n)
        self.seed = seed
        self.name = name
        self.weights = None if weights is None else weights.double().numpy()
        self._passes: dict[int, tuple[Tensor, Tensor | None]] = {}

    def passages(self, step: int) -> list[tuple[int, Tensor, Tensor | None]]:
        """The samples of this step and their labels, by the number of their pass: one, or two at the end of one."""
        number, first = divmod(step * self.batch_size, self.n)
        last = first + self.batch_size
        parts = [(number, first, last)] if last <= self.n else [(number, first, self.n), (number + 1, 0, last - self.n)]
        return [(number, *self._cut(number, first, last)) for number, first, last in parts]

    def _cut(self, number: int, first: int, last: int) -> tuple[Tensor, Tensor | None]:
        rows, labels = self._pass(number)
        return rows[first:last], None if labels is None else labels[first:last]

    def _pass(self, number: int) -> tuple[Tensor, Tensor | None]:
        """The samples in the order of a pass: brought into it once, so that a step only cuts a piece."""
        known = self._passes.get(number)
        if known is None:  # two passes are kept: a batch may need both, and workers may be a pass ahead
            random = generator(self.seed, "order", self.name, number)
            drawn = np.arange(self.n) if self.weights is None else resampled(self.weights, random)
            places = torch.from_numpy(random.permutation(drawn))
            known = self.rows[places], None if self.labels is None else self.labels[places]
            self._passes = {p: kept for p, kept in self._passes.items() if abs(p - number) == 1} | {number: known}
        return known


class Samples:
    """The samples of one stream: inputs of a domain, their labels where opened, the teacher's knowledge where asked.

    The n-th pass over the samples shows their n-th view, so that a store that holds these views
    holds exactly what is trained on.
    """

    def __init__(self, inputs: Tensor, order: StreamOrder):
        self.inputs = inputs
        self.order = order
        self.store: Reader | None = None
        self.views: Views | None = None
        self.domains: Tensor | None = None
        self._by_channel = inputs.ndim == 4 and not inputs.is_contiguous()

    def batch(self, step: int) -> tuple[Batch, Knowledge | None]:
        """This step's samples, and what the teacher said of them."""
        parts = [self._part(*passage) for passage in self.order.passages(step)]
        if len(parts) == 1:
            return parts[0]
        (first, known), (second, later) = parts
        labels, domains = _joined(first.known, second.known), _joined(first.domains, second.domains)
        inputs, index = torch.cat([first.inputs, second.inputs]), torch.cat([first.index, second.index])
        batch = Batch(inputs, index, labels, domains=domains)
        return batch, None if known is None or later is None else Knowledge.join(known, later)

    def _part(self, passage: int, index: Tensor, known: Tensor | None) -> tuple[Batch, Knowledge | None]:
        inputs, view = self._gathered(index), 0
        if self.views is not None:
            view = self.views.view_of(passage)
            inputs = self.views.inputs(inputs, index, view)
        domains = None if self.domains is None else self.domains.index_select(0, index)
        batch = Batch(inputs, index, known, domains=domains)
        return batch, None if self.store is None else self.store.read(index, view)

    def _gathered(self, index: Tensor) -> Tensor:
        """inputs[index], in less time; channels-last ones stay so."""
        if self._by_channel:
            return self.inputs.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)
        return self.inputs.index_select(0, index)


def streams_of(names: Sequence[str], domains: Mapping[str, DomainView], reading: Reading) -> dict[str, Samples]:
    """The streams that a method reads; as `reading` says."""
    streams, inputs, batch_size = {}, {}, reading.batch_size
    for name in names:
        domain = "source" if name == "source" else "target"
        view = domains[domain]
        if domain not in inputs:
            inputs[domain] = _laid_out(view, reading.channels_last and not reading.views)
        rows, labels = _rows_and_labels(view, name)
        if not len(rows) and name == "labelled":
            raise UsageError(
                f"There are no labelled samples of {view.name}. Set 'split.labelled' in the recipe to the number of "
                "labelled target samples per class."
            )
        if len(rows) < batch_size and name != "labelled":
            raise UsageError(
                f"The 'batch_size' of training must be at most {len(rows)}, the training samples of {view.name}. "
                f"Got {batch_size}."
            )
        weights = view.weights[rows] if name == "source" and view.weights is not None else None
        order = StreamOrder(rows, labels, batch_size, reading.seed, name, weights)
        streams[name] = samples = Samples(inputs[domain], order)
        samples.store, samples.views = reading.stores.get(domain), reading.views.get(name)
        samples.domains = view.domains
    return streams


def _joined(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None else torch.cat([first, second])


def _laid_out(view: DomainView, channels_last: bool) -> Tensor:
    """The inputs as the network wants them, once for all steps; what lies on disk or is augmented follows by batch."""
    if not channels_last or view.inputs.ndim != 4 or view.mapped:
        return view.inputs
    return view.inputs.contiguous(memory_format=torch.channels_last)


def _rows_and_labels(view: DomainView, stream: str) -> tuple[Tensor, Tensor | None]:
    if stream == "labelled":
        return view.splits["labelled"], view.opened.get("labelled")
    if stream == "source":
        return view.splits["train"], view.labels("train")
    rows = torch.cat([view.splits["labelled"], view.splits["train"]])
    if "train" not in view.opened:
        return rows, None
    labels = torch.cat([view.opened[split] for split in ("labelled", "train") if len(view.splits[split])])
    known = ~labels.isnan() if labels.is_floating_point() else labels >= 0  # a target may lack some of its labels
    return rows[known], labels[known]
