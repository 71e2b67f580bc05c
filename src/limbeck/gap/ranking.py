"""Candidates side by side: each score on one scale, an interval by subsampling, and a combined rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, from_numpy

from limbeck.core import UsageError, generator
from limbeck.gap.settings import DEFAULTS, GapSettings

__all__ = ["Rating", "Standing", "rank_candidates", "subsampled"]

DRAWS = 2000
"""So many draws from the intervals of all scores give the interval of the combined rank."""


@dataclass(frozen=True)
class Rating:
    """One score of one candidate.

    family: of "transferability", "distance" and "teacher"; each family weighs the same in the combined rank.
    low, high: an interval, `None` where there is none. counts: whether it takes part in the combined rank; a score
    that is no measure of this choice is only shown.
    """

    name: str
    family: Literal["transferability", "distance", "teacher"]
    value: float
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True
    counts: bool = True


@dataclass(frozen=True)
class Standing:
    """Where a candidate stands: combined in [0, 1], higher is better, with its interval.

    scaled: by score (value, low, high) on the scale on which the worst candidate's value is 0 and the best one's 1.
    """

    combined: float
    low: float
    high: float
    scaled: Mapping[str, tuple[float, float | None, float | None]]


def subsampled(
    score: Callable[[Int[Tensor, " k"]], float], strata: Int[Tensor, " n"], settings: GapSettings = DEFAULTS
) -> tuple[float, float | None, float | None]:
    """A score of all samples and its interval, `value ± z · standard error`, by halves of each stratum.

    score: gets the rows to score. A half scatters around the whole as the whole does around the truth, but for the
    factor √(h / (n − h)) for halves of h samples (Wu 1990); the scores of transferability are no means of
    samples, and repeated points, as a bootstrap draws them, would make labels look easier than they are.
    A stratum keeps at least one sample. No interval where no stratum has two.

    >>> import torch
    >>> x = torch.arange(40.0)
    >>> value, low, high = subsampled(lambda rows: x[rows].mean().item(), torch.zeros(40, dtype=torch.long))
    >>> value, 14 < low < 18, 21 < high < 25  # ± 1.96 · 11.7 / √40
    (19.5, True, True)
    """
    n, groups = len(strata), strata.cpu().numpy()
    value = score(from_numpy(np.arange(n)))
    rng = generator(settings.seed, "rank", "halves", n)
    halves = [_half(groups, rng) for _ in range(settings.repeats)]
    size = len(halves[0])
    if size == n:
        return value, None, None
    scatter = np.std([score(from_numpy(rows)) for rows in halves], ddof=1)
    margin = NormalDist().inv_cdf((1 + settings.confidence) / 2) * float(scatter) * (size / (n - size)) ** 0.5
    return value, value - margin, value + margin


def rank_candidates(
    candidates: Mapping[str, Sequence[Rating]], settings: GapSettings = DEFAULTS
) -> dict[str, Standing]:
    """All candidates on one scale, best first.

    combined: the mean over the families of the mean normalised rank, (rank − 1) / (candidates − 1) with the worst
    at 0, equal values sharing the mean rank; 0.5 for a single candidate. Only scores that count, and that every
    candidate has, take part. Ranks, and not values, since nats, lengths and shares have no common unit.

    low, high: percentiles of the combined rank when each score is drawn from a normal distribution with its interval.
    The draws are independent, although candidates share the target's samples, so the intervals are rather too wide.

    Errors: `UsageError` where there is no candidate, no score that counts, or values are not finite.

    >>> good, bad = Rating("leep", "transferability", -0.2), Rating("leep", "transferability", -1.2)
    >>> {name: standing.combined for name, standing in rank_candidates({"noise": [bad], "scan": [good]}).items()}
    {'scan': 1.0, 'noise': 0.0}
    """
    table = _table(candidates)
    if not all(np.isfinite(rating.value) for column in table.values() for rating in column):
        raise UsageError("The scores of the candidates must be finite numbers, to be ranked.")
    counting = {name: column for name, column in table.items() if column[0].counts}
    if not counting:
        raise UsageError("The candidates have no score in common by which they could be ranked.")
    values, errors = _oriented(counting, settings.confidence)
    families = [column[0].family for column in counting.values()]
    combined = _combined(values[None], families)[0]
    noise = generator(settings.seed, "rank", "draws").standard_normal((DRAWS, *values.shape))
    drawn = _combined(values + noise * errors, families)
    low, high = np.quantile(drawn, [settings.alpha / 2, 1 - settings.alpha / 2], axis=0)
    standings = {
        name: Standing(float(combined[i]), float(low[i]), float(high[i]), _scaled(table, i))
        for i, name in enumerate(candidates)
    }
    return dict(sorted(standings.items(), key=lambda item: -item[1].combined))


def _table(candidates: Mapping[str, Sequence[Rating]]) -> dict[str, list[Rating]]:
    """By score, one rating a candidate: of the scores that all have."""
    if not candidates:
        raise UsageError("There is no candidate to rank.")
    named = [{rating.name: rating for rating in ratings} for ratings in candidates.values()]
    return {name: [own[name] for own in named] for name in named[0] if all(name in own for own in named)}


def _oriented(
    table: Mapping[str, list[Rating]], confidence: float
) -> tuple[Float[np.ndarray, "scores n"], Float[np.ndarray, "scores n"]]:
    """The values, higher is better, and their standard errors, 0 where there is no interval."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    values = [[r.value if r.higher_is_better else -r.value for r in column] for column in table.values()]
    errors = [
        [0.0 if r.low is None or r.high is None else (r.high - r.low) / (2 * z) for r in column]
        for column in table.values()
    ]
    return np.array(values), np.array(errors)


def _combined(values: Float[np.ndarray, "draws scores n"], families: Sequence[str]) -> Float[np.ndarray, "draws n"]:
    from scipy.stats import rankdata

    count = values.shape[2]
    if count == 1:
        return np.full((len(values), 1), 0.5)
    ranks = (rankdata(values, axis=2) - 1) / (count - 1)
    kinds = np.array(families)
    return np.mean([ranks[:, kinds == family].mean(1) for family in dict.fromkeys(families)], axis=0)


def _scaled(table: Mapping[str, list[Rating]], place: int) -> dict[str, tuple[float, float | None, float | None]]:
    """A candidate's scores between the worst candidate's, 0, and the best one's, 1; all at 1 where they are equal."""
    scaled = {}
    for name, column in table.items():
        values = [rating.value for rating in column]
        worst, best = (min(values), max(values)) if column[0].higher_is_better else (max(values), min(values))
        own = column[place]
        moved = [
            None if value is None else (value - worst) / (best - worst) if best != worst else 1.0
            for value in (own.value, own.low, own.high)
        ]
        low, high = moved[1:] if own.higher_is_better else moved[:0:-1]
        assert moved[0] is not None
        scaled[name] = (moved[0], low, high)
    return scaled


def _half(groups: np.ndarray, rng: np.random.Generator) -> Int[np.ndarray, " h"]:
    """Half of the samples of each stratum, at least one."""
    parts = [rng.permutation(np.flatnonzero(groups == group)) for group in np.unique(groups)]
    return np.sort(np.concatenate([part[: max(1, len(part) // 2)] for part in parts]))
