"""How sure a difference is: paired bootstrap over test samples, McNemar's test, mean and spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from limbeck.core import Task, bad_value, generator

__all__ = [
    "Comparison",
    "Statistic",
    "bootstrap",
    "compare",
    "mcnemar",
    "mean_std",
    "paired_bootstrap",
    "sample_scores",
    "statistic_for",
    "vote",
    "wilson",
]

Statistic = Callable[[Float[np.ndarray, "r n"], Float[np.ndarray, "s n"]], Float[np.ndarray, "r s"]]
"""From how often each sample was drawn, [resamples, n], and per-sample scores, [seeds, n], to [resamples, seeds]."""

CELLS = 2_000_000
"""Resamples are drawn in blocks of this many draws, which bounds memory and stays in the cache."""


@dataclass(frozen=True)
class Comparison:
    """Row a − row b in the statistic's unit, its interval, and a two-sided p-value of "no difference"."""

    difference: float
    low: float
    high: float
    p_value: float


def paired_bootstrap(
    a: Float[np.ndarray, "seeds_a n"],
    b: Float[np.ndarray, "seeds_b n"],
    statistic: Statistic | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two rows on the same test samples; a and b hold a score of each sample for each seed.

    Each resample draws test samples with replacement, the same ones for both rows and all seeds,
    and averages the statistic over the seeds: the interval says what other test samples would
    have shown of these trained models, not what other seeds would have (that is the ± of
    `mean_std`). statistic: the mean of scores by default, see `statistic_for`. Percentile
    interval and its inversion as the p-value (Efron & Tibshirani 1993, ch. 13 and 15.4), see
    `compare`. Raises `UsageError` where the rows have different numbers of samples, or none.

    >>> paired_bootstrap(np.ones((1, 50)), np.zeros((3, 50)), resamples=99)
    Comparison(difference=1.0, low=1.0, high=1.0, p_value=0.02)
    """
    statistic = statistic or weighted_mean
    if not 0 < confidence < 1:
        raise bad_value("confidence", "paired_bootstrap", "between 0 and 1", confidence)
    point, drawn = bootstrap([a, b], statistic, resamples, seed)
    return compare(point, drawn, confidence)


def bootstrap(
    rows: Sequence[Float[np.ndarray, "_ n"]], statistic: Statistic, resamples: int = 10_000, seed: int = 0
) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, "rows resamples"]]:
    """The statistic of each row averaged over its seeds: on the test samples, and on the same resamples of them.

    >>> point, drawn = bootstrap([np.array([[0.0, 1.0]])], weighted_mean, resamples=8)
    >>> point.tolist(), drawn.shape
    ([0.5], (1, 8))
    """
    samples = {row.shape[1] for row in rows}
    if len(samples) != 1 or 0 in samples:
        raise bad_value("rows", "bootstrap", "scores of the same test samples, at least one", sorted(samples))
    if resamples < 1:
        raise bad_value("resamples", "bootstrap", "> 0", resamples)
    n, scores = samples.pop(), np.concatenate(rows)
    of_row = np.repeat(np.eye(len(rows)) / [len(row) for row in rows], [len(row) for row in rows], axis=0)
    random, block = generator(seed, "bootstrap"), max(1, CELLS // n)
    drawn = [
        statistic(_counts(random, n, min(block, resamples - done)), scores) @ of_row
        for done in range(0, resamples, block)
    ]
    return (statistic(np.ones((1, n)), scores) @ of_row)[0], np.concatenate(drawn).T


def compare(
    point: Float[np.ndarray, " pair"], drawn: Float[np.ndarray, "pair resamples"], confidence: float = 0.95
) -> Comparison:
    """Two rows of `bootstrap`, a and b, as a difference a − b with an interval and a p-value.

    p = 2 · min(P(drawn ≤ 0), P(drawn ≥ 0)), each with one added to count and total, so that it is
    never 0, and at most 1: the level at which the percentile interval begins to touch 0.

    >>> compare(np.zeros(2), np.zeros((2, 9))).p_value
    1.0
    """
    # Equal rows with different numbers of seeds differ by rounding, always to the same side.
    equal = np.isclose(drawn[0], drawn[1], rtol=1e-12, atol=0)
    difference = np.where(equal, 0.0, drawn[0] - drawn[1])
    low, high = np.quantile(difference, [(1 - confidence) / 2, (1 + confidence) / 2])
    tail = int(min((difference <= 0).sum(), (difference >= 0).sum()))
    p_value = min(1.0, 2 * (1 + tail) / (1 + len(difference)))
    return Comparison(float(point[0] - point[1]), float(low), float(high), p_value)


def _counts(random: np.random.Generator, n: int, resamples: int) -> Float[np.ndarray, "r n"]:
    drawn = random.integers(0, n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def sample_scores(
    logits: Float[Tensor, "s n outputs"], labels: Int[Tensor, " n"] | Float[Tensor, " n"], task: Task
) -> Float[np.ndarray, "s n"]:
    """What each sample adds to the headline metric: 1 where the class is right, or the squared error.

    >>> import torch
    >>> sample_scores(torch.tensor([[[0.0, 1.0]]]), torch.tensor([1]), Task("classification", ("a", "b")))
    array([[1.]])
    """
    if task.is_classification:
        return (logits.argmax(-1) == labels).double().cpu().numpy()
    return (task.restore(logits).double() - labels).square().cpu().numpy()


def statistic_for(metric: str, labels: Int[Tensor, " n"] | Float[Tensor, " n"]) -> Statistic:
    """The metric as a statistic of `sample_scores`: "accuracy", "balanced_accuracy" or "rmse".

    >>> import torch
    >>> statistic_for("rmse", torch.zeros(2))(np.ones((1, 2)), np.array([[9.0, 9.0]]))
    array([[3.]])
    """
    if metric == "balanced_accuracy":
        return balanced_mean(labels.cpu().numpy())
    if metric not in _STATISTICS:
        known = ", ".join(sorted([*_STATISTICS, "balanced_accuracy"]))
        raise bad_value("metric", "a comparison", f"one of {known}", metric)
    return _STATISTICS[metric]


def weighted_mean(counts: Float[np.ndarray, "r n"], scores: Float[np.ndarray, "s n"]) -> Float[np.ndarray, "r s"]:
    """The mean score of the drawn samples."""
    return counts @ scores.T / counts.sum(1, keepdims=True)


def root_mean(counts: Float[np.ndarray, "r n"], scores: Float[np.ndarray, "s n"]) -> Float[np.ndarray, "r s"]:
    """The root of the mean score of the drawn samples: RMSE of squared errors."""
    return np.sqrt(weighted_mean(counts, scores))


_STATISTICS: dict[str, Statistic] = {"accuracy": weighted_mean, "rmse": root_mean}


def balanced_mean(labels: np.ndarray) -> Statistic:
    """The mean over classes of each class's mean score; a class that was not drawn is left out of its resample."""
    members = [np.flatnonzero(labels == c) for c in np.unique(labels)]

    def statistic(counts: Float[np.ndarray, "r n"], scores: Float[np.ndarray, "s n"]) -> Float[np.ndarray, "r s"]:
        total, present = np.zeros((len(counts), len(scores))), np.zeros((len(counts), 1))
        for member in members:
            drawn = counts[:, member]
            support = drawn.sum(1, keepdims=True)
            total += drawn @ scores[:, member].T / np.maximum(support, 1)
            present += support > 0
        return total / present

    return statistic


def vote(logits: Float[Tensor, "s n classes"]) -> Int[np.ndarray, " n"]:
    """The class of the highest mean probability over seeds: one prediction a sample for McNemar's test.

    >>> import torch
    >>> vote(torch.tensor([[[0.0, 1.0]], [[4.0, 0.0]], [[0.0, 1.0]]])).tolist()
    [0]
    """
    return logits.double().softmax(-1).mean(0).argmax(-1).cpu().numpy()


def mcnemar(correct_a: Bool[np.ndarray, " n"], correct_b: Bool[np.ndarray, " n"]) -> float:
    """The exact two-sided p-value of McNemar (1947): are a and b wrong equally often?

    Binomial test of the samples that only one of them gets right; 1 where there are none. It
    wants independent samples, so several seeds are first made one prediction by `vote`: pooling
    them would count each sample several times and overstate the evidence.

    >>> mcnemar(np.array([True] * 6), np.array([False] * 6))
    0.03125
    """
    from scipy.stats import binomtest

    only_a, only_b = int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def wilson(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share that was seen in n samples: all p with `|share − p| ≤ z √(p (1 − p) / n)`.

    Paper: Wilson 1927. It has a width where the share is 0 or 1, too. n: at least 1.

    >>> [round(bound, 3) for bound in wilson(1.0, 100)]
    [0.963, 1.0]
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre, spread = share + z**2 / (2 * n), z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    low, high = ((centre + side * spread) / (1 + z**2 / n) for side in (-1, 1))
    return max(0.0, low), min(1.0, high)


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n − 1); the deviation of one value is given as 0.

    >>> mean_std([1.0, 3.0])
    (2.0, 1.4142135623730951)
    """
    if not len(values):
        raise bad_value("values", "mean_std", "at least one", values)
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
