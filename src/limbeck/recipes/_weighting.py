"""How much each of several sources, or each of their samples, counts in training: by how much it is like the target."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from limbeck.core import Domain, UsageError
from limbeck.gap import density_ratio, source_shares

__all__ = ["Weighting", "weigh"]

Weighting = Literal["equal", "domain", "sample"]


def weigh(source: Domain, target: Domain, by: Weighting, shared: bool) -> None:
    """Give the source's samples their weights, with a note on what they come to; no target label is read.

    shared: the shares of several sources are wanted whatever the weights are.
    """
    train = source.splits["train"]
    origins = np.full(len(train), source.name) if source.origins is None else source.origins[train]
    names = list(dict.fromkeys(origins.tolist()))  # of the sources that have a sample to train with
    if (by == "domain" or shared) and len(names) < 2:
        raise UsageError(
            f"Sources are weighted by domain where there are several, and {source.name} is one: read them by several, "
            "or set 'weighting' to sample or equal, and the weights of an ensemble to equal."
        )
    if by == "equal" and not shared:
        return
    if source.mapped or target.mapped:
        raise UsageError("Weights look at all inputs at once: set 'held' of the data to memory, or no weights.")
    near = _flat(source, train)
    far = _flat(target, np.concatenate([target.splits["labelled"], target.splits["train"]]))
    places = np.array([names.index(origin) for origin in origins], dtype=np.int64)
    if by == "domain" or shared:
        source.shares = dict(zip(names, source_shares(near, torch.from_numpy(places), far).tolist(), strict=True))
    if by != "equal":
        shares = np.array([source.shares[name] for name in names]) if by == "domain" else np.ones(1)
        own = (shares / np.bincount(places))[places] if by == "domain" else density_ratio(near, far)
        source.weights = torch.zeros(len(source), dtype=torch.float64)
        source.weights[torch.from_numpy(train)] = torch.from_numpy(own / own.mean())
        source.notes = (*source.notes, _note(own, places, names, by))


def _flat(domain: Domain, rows: np.ndarray) -> Tensor:
    return domain.inputs[torch.from_numpy(rows)].flatten(1)


def _note(weights: np.ndarray, places: np.ndarray, names: list[str], by: Weighting) -> str:
    """Each source's part of a pass, and how many samples of equal weight would be as many."""
    parts = np.bincount(places, weights) / weights.sum()
    shares = ", ".join(f"{name} {part:.1%}" for name, part in zip(names, parts, strict=True))
    effective = weights.sum() ** 2 / (weights**2).sum()
    told = f" A pass has so much of each: {shares}." if len(names) > 1 else ""
    return (
        f"Weighted by {by}, by how much it is like the target.{told} The {len(weights)} training samples are worth "
        f"{effective:.0f} of equal weight."
    )
