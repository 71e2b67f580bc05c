"""Whether two domains differ in more than the shares of their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from limbeck.core import generator
from limbeck.distances import Distance
from limbeck.gap.distances import measure_distances
from limbeck.gap.settings import DEFAULTS, GapSettings
from limbeck.gap.summary import simes

__all__ = ["beyond_shares", "rows_of_shares"]

LEAST = 10
"""Of fewer source samples nothing is said."""

Drawn = tuple[Tensor, Callable[[Tensor], Tensor], Tensor]
"""Of one space: the source's labels, what gives the rows at some places, and the target's rows."""


def beyond_shares(
    spaces: Mapping[str, Drawn],
    shares: Sequence[float],
    distances: Mapping[str, Distance],
    settings: GapSettings = DEFAULTS,
) -> dict[str, Any]:
    """The `beyond` of gap.json: is there a gap left where the source has the target's class shares?

    Where a class looks alike in both domains (label shift), source samples drawn with the target's shares are spread
    as the target's are, and the permutation tests of `measure_distances` find nothing. That they find nothing is told
    as such only where they do find a difference with as many source samples drawn as they come: otherwise there are
    too few to tell.

    spaces: as in `measure_distances`, with the source's labels. shares: of the classes, in [0, 1], such as
    `label_shift` estimates them. p_value, as_they_come: Simes' p-value over the distances, with these shares and
    without, in the space where it is least. alone: whether the shares explain all that can be shown. samples: of the
    source, so many were drawn in the space that tells most.

    >>> import torch
    >>> from limbeck.distances.mmd import Mmd
    >>> labels = torch.arange(400) % 2
    >>> near, far = labels[:, None] + torch.linspace(0, 0.1, 400)[:, None], torch.linspace(1, 1.1, 90)[:, None]
    >>> found = beyond_shares({"inputs": (labels, lambda rows: near[rows], far)}, [0.0, 1.0], {"mmd": Mmd()})
    >>> found["alone"], found["samples"]
    (True, 200)
    """
    found = [_tested(space, drawn, shares, distances, settings) for space, drawn in spaces.items()]
    told = min(found, key=lambda entry: entry["as_they_come"])
    p_value = min(entry["p_value"] for entry in found)
    entry = {**told, "p_value": p_value, "alone": p_value >= settings.alpha > told["as_they_come"]}
    return {**entry, "sentence": _sentence(entry, settings.alpha)}


def _tested(
    space: str, drawn: Drawn, shares: Sequence[float], distances: Mapping[str, Distance], settings: GapSettings
) -> dict[str, Any]:
    """Both p-values in one space, and of how many source samples."""
    labels, rows, target = drawn
    like = rows_of_shares(labels, shares, generator(settings.seed, "gap", "shares", space))[: settings.samples]
    come = generator(settings.seed, "gap", "as_they_come", space).permutation(len(labels))[: len(like)]
    entry: dict[str, Any] = {"p_value": 1.0, "as_they_come": 1.0, "samples": len(like)}
    if len(like) < LEAST:
        return entry
    for name, places in (("p_value", like), ("as_they_come", come)):
        pair = {space: (rows(torch.from_numpy(np.sort(places))), target)}
        tests = measure_distances(pair, distances, replace(settings, resamples=20))
        entry[name] = simes([test["p_value"] for test in tests])
    return entry


def rows_of_shares(
    labels: Int[Tensor, " n"], shares: Sequence[float], random: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """As many places as there can be whose labels have these shares, drawn without replacement, in random order.

    Labels below 0 are unknown and left out. Of a class of share q and n samples at most n / q can be drawn, so that
    the rarest in proportion decides; none where a class with a share has no sample.

    >>> import torch
    >>> labels = torch.tensor([0] * 30 + [1] * 10)
    >>> labels[rows_of_shares(labels, [0.5, 0.5], generator(0))].bincount().tolist()
    [10, 10]
    """
    classes, wanted = labels.cpu().numpy(), np.asarray(shares, dtype=np.float64)
    counts = np.bincount(classes[classes >= 0], minlength=len(wanted))
    size = min(counts[k] / wanted[k] for k in np.flatnonzero(wanted > 0))
    kept = np.floor(size * wanted + 1e-9).astype(int)
    places = [random.permutation(np.flatnonzero(classes == k))[: kept[k]] for k in range(len(wanted))]
    return random.permutation(np.concatenate(places))


def _sentence(entry: Mapping[str, Any], alpha: float) -> str:
    if entry["p_value"] < alpha:
        return "They differ in more than their classes' shares."
    if entry["alone"]:
        return (
            f"Against {entry['samples']} source samples drawn with these shares no difference can be shown, but it can "
            "against as many drawn as they come: the domains seem to differ in their classes' shares alone."
        )
    return (
        "Whether they differ in more than their classes' shares cannot be told: no more than "
        f"{entry['samples']} source samples have the target's."
    )
