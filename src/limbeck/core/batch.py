"""The words of one step: samples, what the student says of them, what the teacher said of them.

A joined batch has source rows first, then target rows; `source` and `target` narrow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from limbeck.core.errors import SealedLabelsError, UsageError, did_you_mean

__all__ = ["FEATURES", "Batch", "Knowledge", "Outputs"]

FEATURES = "features"
"""The layer name of the representation that the head reads: every network has it."""


@dataclass(frozen=True)
class Batch:
    """Samples of one step.

    inputs: [n, ...]. index: [n], each sample's place in its domain, the key of all that is stored
    per sample. `known` holds labels, [n] (int64 classes or float32 values), or None where they
    are sealed; in a joined batch it covers the source rows alone. sources: how many of the first
    rows come from the source. domains: [n, domains] which of several source domains a sample is of,
    one `True` a row, or None where the source is one; in a joined batch it covers the source rows alone.
    """

    inputs: Tensor
    index: Tensor
    known: Tensor | None = None
    sources: int = 0
    domains: Tensor | None = None

    def __len__(self) -> int:
        return self.inputs.shape[0]

    @property
    def labels(self) -> Tensor:
        """Labels of these samples; `SealedLabelsError` where nobody opened them."""
        if self.known is None:
            raise SealedLabelsError(
                "The labels of these target samples are sealed: training sees only the labelled split "
                "(split.labelled in the recipe). A method that must read them declares 'target_labels' in its needs, "
                "and each reading becomes a line in results.json."
            )
        return self.known

    @property
    def members(self) -> Tensor:
        """[n, domains] which of several source domains each sample is of; `UsageError` where the source is one."""
        if self.domains is None:
            raise UsageError("The samples are of one source domain. Put several together by the data part 'several'.")
        return self.domains

    @property
    def source(self) -> Batch:
        return Batch(self.inputs[: self.sources], self.index[: self.sources], self.known, domains=self.domains)

    @property
    def target(self) -> Batch:
        return Batch(self.inputs[self.sources :], self.index[self.sources :])

    def split(self, parts: int) -> list[Batch]:
        """Parts of nearly equal size, of samples that come from one domain."""
        known = [None] * parts if self.known is None else self.known.tensor_split(parts)
        domains = [None] * parts if self.domains is None else self.domains.tensor_split(parts)
        inputs, index = self.inputs.tensor_split(parts), self.index.tensor_split(parts)
        found = zip(inputs, index, known, domains, strict=True)
        return [Batch(x, places, labels, domains=of) for x, places, labels, of in found]

    @classmethod
    def join(cls, source: Batch, target: Batch) -> Batch:
        """Source rows, then target rows; the target's labels, if any, stay behind."""
        return cls(
            torch.cat([source.inputs, target.inputs]),
            torch.cat([source.index, target.index]),
            source.known,
            len(source),
            source.domains,
        )


@dataclass(frozen=True)
class Outputs:
    """What the student says of a batch: logits [n, outputs], and inner layers by name, each [n, ...]."""

    logits: Tensor
    features: Mapping[str, Tensor] = field(default_factory=dict)
    sources: int = 0

    def feature(self, layer: str = FEATURES) -> Tensor:
        """The layer's activations as [n, d]."""
        return _layer(self.features, layer, "the student's outputs").flatten(1)

    @property
    def source(self) -> Outputs:
        return self.rows(slice(None, self.sources))

    @property
    def target(self) -> Outputs:
        return self.rows(slice(self.sources, None))

    def rows(self, rows: slice) -> Outputs:
        """The outputs of some of the samples."""
        return Outputs(self.logits[rows], {name: value[rows] for name, value in self.features.items()})

    @classmethod
    def join(cls, source: Outputs, target: Outputs) -> Outputs:
        features = {name: torch.cat([value, target.features[name]]) for name, value in source.features.items()}
        return cls(torch.cat([source.logits, target.logits]), features, source.logits.shape[0])


@dataclass(frozen=True)
class Knowledge:
    """What a teacher said of a batch, wherever it came from: computed now, or read from the store.

    logits: [n, outputs]; features: inner layers by name, each [n, ...]. Never carries gradients.
    """

    logits: Tensor | None = None
    features: Mapping[str, Tensor] = field(default_factory=dict)

    def scores(self) -> Tensor:
        """The teacher's logits; an error where it has none."""
        if self.logits is None:
            raise UsageError("The teacher gives no logits, and an objective needs them. Run `limbeck check`.")
        return self.logits

    def feature(self, layer: str = FEATURES) -> Tensor:
        """The teacher's layer as [n, d]."""
        return _layer(self.features, layer, "the teacher's knowledge").flatten(1)

    def split(self, parts: int) -> list[Knowledge]:
        """Parts of nearly equal size, as `Batch.split`."""
        logits = [None] * parts if self.logits is None else self.logits.tensor_split(parts)
        features = {name: value.tensor_split(parts) for name, value in self.features.items()}
        return [Knowledge(own, {name: cut[i] for name, cut in features.items()}) for i, own in enumerate(logits)]

    @classmethod
    def join(cls, first: Knowledge, second: Knowledge) -> Knowledge:
        logits = None if first.logits is None else torch.cat([first.scores(), second.scores()])
        return cls(logits, {name: torch.cat([value, second.features[name]]) for name, value in first.features.items()})


def _layer(features: Mapping[str, Tensor], layer: str, owner: str) -> Tensor:
    if layer not in features:
        raise UsageError(f"There is no layer {layer!r} in {owner}. {did_you_mean(layer, features)}")
    return features[layer]
