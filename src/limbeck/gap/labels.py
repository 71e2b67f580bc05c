"""Class shares of the target, estimated without its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.gap.settings import DEFAULTS, GapSettings

__all__ = ["ClassShares", "class_shares", "label_shift"]

WEAK = 0.1
"""A confusion matrix whose smallest singular value lies below this barely tells some classes apart."""


class ClassShares(NamedTuple):
    """Estimated shares of the target's classes, and the smallest singular value of the confusion matrix behind them.

    tells: in [0, 1]; near 0 the model barely tells some classes apart, and the estimate is worth little.
    """

    estimated: Float[np.ndarray, " classes"]
    tells: float

    @property
    def weak(self) -> bool:
        return self.tells < WEAK


def class_shares(
    source_labels: Int[Tensor, " n"],
    source_probabilities: Float[Tensor, "n classes"],
    target_probabilities: Float[Tensor, "m classes"],
) -> ClassShares:
    """The target's class shares as `label_shift` estimates them, without an interval: in milliseconds.

    Errors: `UsageError` for shapes that do not fit, or no samples.

    >>> import torch
    >>> labels, sure = torch.tensor([0, 0, 1, 1]), torch.eye(2)
    >>> shares = class_shares(labels, sure[labels], sure[[0, 1, 1, 1]])
    >>> shares.estimated.round(3).tolist(), shares.tells
    ([0.25, 0.75], 1.0)
    """
    classes = source_probabilities.shape[1]
    labels, source, target = _checked(source_labels, source_probabilities, target_probabilities, classes)
    present = np.unique(labels)
    confusion = _confusion([source[labels == k] for k in present])
    estimated = np.zeros(classes)
    estimated[present] = solve_shares(confusion, target.mean(0))
    return ClassShares(estimated, _smallest(confusion))


def label_shift(
    source_labels: Int[Tensor, " n"],
    source_probabilities: Float[Tensor, "n classes"],
    target_probabilities: Float[Tensor, "m classes"],
    classes: Sequence[str],
    settings: GapSettings = DEFAULTS,
) -> dict[str, Any]:
    """The `labels` of gap.json: the target's class shares, from a model's probabilities on both domains.

    Black-box shift estimation with the soft confusion matrix (Lipton et al. 2018): column y of A is the
    mean prediction over source samples of class y, μ the mean prediction over the target, and the
    shares q minimise ‖A q - μ‖ over q ≥ 0, Σ q = 1. It assumes label shift: that a class looks alike
    in both domains. It needs no calibrated model, but source samples that the model was *not* trained on.

    low, high: a percentile bootstrap over samples, the source's within each class; it is right here,
    where A and μ are plain means. Labels below 0 are unknown and left out. A class without source samples
    is estimated as 0, and the sentence says so, as it does where A is nearly singular. differ: whether a share has
    moved beyond chance.

    Errors: `UsageError` for shapes that do not fit, or no samples.

    >>> import torch
    >>> labels, sure = torch.tensor([0, 0, 0, 1]), torch.eye(2)
    >>> shares = label_shift(labels, sure[labels], sure[[0, 1, 1, 1]], ["no", "yes"])
    >>> [round(share, 3) for share in shares["estimated"]], shares["source"]
    ([0.25, 0.75], [0.75, 0.25])
    """
    labels, source, target = _checked(source_labels, source_probabilities, target_probabilities, len(classes))
    shares = np.bincount(labels, minlength=len(classes)) / len(labels)
    present = np.flatnonzero(shares)
    by_class = [source[labels == k] for k in present]
    estimated, drawn = np.zeros(len(classes)), np.zeros((settings.resamples, len(classes)))
    estimated[present] = solve_shares(_confusion(by_class), target.mean(0))
    rng = generator(settings.seed, "gap", "labels")
    for row in drawn:
        row[present] = solve_shares(_confusion([_drawn(rows, rng) for rows in by_class]), _drawn(target, rng).mean(0))
    tail = settings.alpha / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0).tolist()
    # The source's shares are those of a sample too. Bonferroni over the classes: one of ten moves by chance too often.
    change = drawn - rng.multinomial(len(labels), shares, settings.resamples) / len(labels)
    lowest, highest = np.quantile(change, [tail / len(classes), 1 - tail / len(classes)], axis=0)
    moved = np.flatnonzero((lowest > 0) | (highest < 0))
    entry = {"estimated": estimated.tolist(), "source": shares.tolist(), "low": low, "high": high}
    entry |= {"classes": [str(name) for name in classes], "differ": bool(len(moved))}
    weak = _smallest(_confusion(by_class)) < WEAK
    return {**entry, "sentence": _verdict(entry, moved, settings.confidence) + _doubts(entry, weak)}


def solve_shares(confusion: Float[np.ndarray, "rows classes"], mean: Float[np.ndarray, " rows"]) -> np.ndarray:
    """Shares q ≥ 0 with Σ q = 1 that minimise ‖confusion · q - mean‖, however badly it is conditioned.

    >>> solve_shares(np.array([[0.9, 0.2], [0.1, 0.8]]), np.array([0.55, 0.45])).round(3).tolist()
    [0.5, 0.5]
    """
    from scipy.optimize import nnls

    # On Σ q = 1 the residual is (A - μ 1ᵀ) q, so the heavy row of ones costs no accuracy where a fit exists.
    heavy = 1e3
    system = np.vstack([confusion - mean[:, None], np.full(confusion.shape[1], heavy)])
    shares = nnls(system, np.append(np.zeros(len(mean)), heavy))[0]
    return shares / shares.sum()


def _checked(
    labels: Tensor, source: Tensor, target: Tensor, classes: int
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n classes"], Float[np.ndarray, "m classes"]]:
    """Labelled source rows, their probabilities and the target's, in float64."""
    if source.shape != (len(labels), classes) or target.shape[1:] != (classes,):
        raise UsageError(
            f"The probabilities must have one row a sample and {classes} columns, one a class. "
            f"Got {list(source.shape)} for {len(labels)} source labels, and {list(target.shape)} for the target."
        )
    known = labels >= 0
    if not known.any() or not len(target):
        raise UsageError("The class shares cannot be estimated: there are no labelled source or no target samples.")
    source, target = source[known].detach().double(), target.detach().double()
    return labels[known].cpu().numpy(), source.cpu().numpy(), target.cpu().numpy()


def _confusion(by_class: list[np.ndarray]) -> np.ndarray:
    """Column y: the mean prediction over the source samples of class y."""
    return np.stack([rows.mean(0) for rows in by_class], axis=1)


def _smallest(confusion: np.ndarray) -> float:
    """Its smallest singular value."""
    return float(np.linalg.svd(confusion, compute_uv=False).min())


def _drawn(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rows[rng.integers(len(rows), size=len(rows))]


def _verdict(entry: Mapping[str, Any], moved: np.ndarray, confidence: float) -> str:
    if not len(moved):
        return "The classes seem to have the same shares in both domains."
    shares, estimated = entry["source"], entry["estimated"]
    most = max(moved, key=lambda k: abs(estimated[k] - shares[k]))
    return (
        f"The class shares seem to differ, most for {entry['classes'][most]}: {shares[most]:.0%} of the source, about "
        f"{estimated[most]:.0%} of the target ({confidence:.0%} interval {entry['low'][most]:.0%} to "
        f"{entry['high'][most]:.0%}), if a class looks alike in both domains."
    )


def _doubts(entry: Mapping[str, Any], weak: bool) -> str:
    lacking = [name for name, share in zip(entry["classes"], entry["source"], strict=True) if share == 0]
    doubt = " The model barely tells some classes apart, so this estimate is weak." if weak else ""
    return doubt + (f" The source has no samples of {', '.join(lacking)}: taken as 0 here." if lacking else "")
