"""Every distance in every space, with an interval, a p-value and a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.distances import Distance, Regroupable
from limbeck.gap.settings import DEFAULTS, GapSettings

__all__ = ["measure_distances"]

SPACES = {"inputs": "the inputs", "teacher": "the teacher's features"}


def measure_distances(
    spaces: Mapping[str, tuple[Tensor, Tensor]], distances: Mapping[str, Distance], settings: GapSettings = DEFAULTS
) -> list[dict[str, Any]]:
    """The `distances` of gap.json: each distance in each space, source and target being float [n, ...] and [m, ...].

    p_value: a permutation test of equal domains, (1 + permutations at least as far) / (1 + permutations).

    low, high: value ± z · standard error by subsampling, since a bootstrap's repeated points would
    bias these distances. Subsamples of b points drawn without replacement from n scatter around the
    whole with Var(whole) · (n - b)/b (Wu 1990; for b far below n, Politis & Romano 1994), so halves of
    each domain scatter just as the whole does around the truth. The interval says how much the value
    would change with other samples of this size. The bias of a plug-in estimate, which is above 0
    for equal domains too, stays in: the p-value accounts for it. For equal domains the interval is
    wider than its confidence says.

    The same rows take part in each space, drawn from named streams. Errors: `UsageError` for fewer than four
    samples, numbers that are not finite, and distances that need pairs or labels.

    >>> from limbeck.distances.coral import Coral
    >>> x = torch.arange(40.0).view(40, 1)
    >>> [entry] = measure_distances({"inputs": (x, 3 * x)}, {"coral": Coral()})
    >>> entry["low"] < entry["value"] < entry["high"], entry["p_value"], entry["samples"]
    (True, 0.002, [40, 40])
    """
    for name, distance in distances.items():
        if distance.paired or distance.needs_labels:
            raise UsageError(f"The distance {name} needs pairs or labels: it cannot measure the gap of two domains.")
    entries = []
    for space, (source, target) in spaces.items():
        source, target = _rows(space, "source", source, settings), _rows(space, "target", target, settings)
        for name, distance in distances.items():
            entries.append(_measure(name, space, distance, (source, target), settings))
    return entries


def _rows(space: str, role: str, samples: Tensor, settings: GapSettings) -> Float[Tensor, "n d"]:
    """At most `settings.samples` rows, flattened."""
    if len(samples) < 4:
        raise UsageError(f"The gap needs at least 4 samples of the {role}. Got {len(samples)} in {space}.")
    chosen = generator(settings.seed, "gap", "rows", role).permutation(len(samples))[: settings.samples]
    rows = samples.detach()[torch.from_numpy(np.sort(chosen)).to(samples.device)].flatten(1).float()
    if not rows.isfinite().all():
        raise UsageError(f"The {space} of the {role} hold values that are not finite: fill or remove them first.")
    return rows


def _measure(
    name: str, space: str, distance: Distance, points: tuple[Tensor, Tensor], settings: GapSettings
) -> dict[str, Any]:
    n, m = len(points[0]), len(points[1])
    permutations, resamples = settings.permutations, settings.resamples
    if not isinstance(distance, Regroupable):
        permutations, resamples = min(permutations, settings.repeats), min(resamples, settings.repeats)
    permuted = _permuted(n, m, permutations, settings.seed)
    halved = _halved(n, m, resamples, settings.seed)
    asis = np.arange(n + m)[None] < n
    first = np.concatenate([asis, permuted, halved & asis])
    second = np.concatenate([~asis, ~permuted, halved & ~asis])
    # The value itself takes the same way as the permutations, so that ties are ties to the last bit.
    values = _regrouped(distance, torch.cat(points), torch.from_numpy(first), torch.from_numpy(second))
    if not np.isfinite(values).all():
        raise UsageError(f"The distance {name} is not finite on {space}: scale the data, its values are too large.")
    value, null, halves = values[0], values[1 : 1 + permutations], values[1 + permutations :]
    low, high = _interval(value, halves, n, m, settings.confidence)
    p_value = (1 + np.count_nonzero(null >= value)) / (1 + permutations)
    entry = {"name": name, "space": space, "value": float(value), "low": low, "high": high, "p_value": float(p_value)}
    return {**entry, "samples": [n, m], "sentence": _sentence(entry, distance, permutations, settings)}


def _permuted(n: int, m: int, count: int, seed: int) -> np.ndarray:
    """[count, n + m] bool: who belongs to the source when the domains are shuffled."""
    return _drawn(n + m, n, count, generator(seed, "gap", "permutations", n, m))


def _halved(n: int, m: int, count: int, seed: int) -> np.ndarray:
    """[count, n + m] bool: half of the source and half of the target."""
    rng = generator(seed, "gap", "halves", n, m)
    return np.concatenate([_drawn(n, n // 2, count, rng), _drawn(m, m // 2, count, rng)], axis=1)


def _drawn(size: int, chosen: int, count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permuted(np.tile(np.arange(size) < chosen, (count, 1)), axis=1)


def _regrouped(
    distance: Distance, pooled: Float[Tensor, "N d"], first: Bool[Tensor, "p N"], second: Bool[Tensor, "p N"]
) -> np.ndarray:
    """The distance of every grouping, [p] float64."""
    first, second = first.to(pooled.device), second.to(pooled.device)
    with torch.no_grad():
        if isinstance(distance, Regroupable):
            values = distance.regroup(pooled, first.to(pooled), second.to(pooled))
        else:
            values = torch.stack([distance(pooled[a], pooled[b]) for a, b in zip(first, second, strict=True)])
    return values.double().cpu().numpy()


def _interval(value: float, halves: np.ndarray, n: int, m: int, confidence: float) -> tuple[float, float]:
    half = n // 2 + m // 2
    error = halves.std(ddof=1) * np.sqrt(half / (n + m - half))
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return float(value - margin), float(value + margin)


def _sentence(entry: Mapping[str, Any], distance: Distance, permutations: int, settings: GapSettings) -> str:
    verdict = "more than chance" if entry["p_value"] < settings.alpha else "no more than chance may give"
    return (
        f"{entry['name']} of {SPACES.get(entry['space'], entry['space'])} is {entry['value']:.3g} "
        f"({settings.confidence:.0%} interval {entry['low']:.3g} to {entry['high']:.3g}), {verdict} "
        f"(p = {entry['p_value']:.2g}, {permutations} permutations). {_meaning(distance)}"
    ).rstrip()


def _meaning(distance: Distance) -> str:
    """The first line of the part's own description: what it measures, in words."""
    return (inspect.getdoc(type(distance)) or "").partition("\n")[0]
