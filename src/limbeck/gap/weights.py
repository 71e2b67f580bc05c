"""Which sources, and which samples of them, look like the target: weights for training, without a target label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import UsageError, generator

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

__all__ = ["density_ratio", "source_shares"]

FITTED = 2000
"""At most so many samples of a domain teach the classifier that tells domains apart."""

WIDTH = 50
"""The classifier sees at most so many principal directions."""

FOLDS = 5
LARGEST = 50
"""No sample counts more than so many times the average one."""

ROUNDS = 1000
TOLERANCE = 1e-9


def source_shares(
    source: Float[Tensor, "n d"], origins: Int[Tensor, " n"], target: Float[Tensor, "m d"], seed: int = 0
) -> Float[np.ndarray, " sources"]:
    """The shares α of the sources in the mixture that is most like the target; ≥ 0, with the sum 1.

    A classifier tells the sources apart, and expectation–maximisation over the target's samples finds the shares
    under which its answers agree with them: `α_k ← mean_i α_k p(k | x_i) / Σ_j α_j p(j | x_i)`, p for equal sources.
    A source that the target does not look like gets nearly nothing; between equal ones the shares stay equal.

    Paper: Saerens et al. 2002, eq. 2.6, for sources in the place of classes; the mixture of sources: Mansour et al.
    2009, section 3. The classifier is a logistic regression on standardised principal directions.
    origins: the number of each sample's source, from 0. Errors: `UsageError` for fewer than two sources.

    >>> x = torch.cat([torch.linspace(-1, 1, 50), torch.linspace(9, 11, 50)])[:, None]
    >>> source_shares(x, torch.arange(100) // 50, torch.linspace(-1, 1, 30)[:, None]).round(2).tolist()
    [1.0, 0.0]
    """
    count = int(origins.max()) + 1
    if count < 2:
        raise UsageError("The shares of several sources need at least two. Got one.")
    random = generator(seed, "weights", "shares")
    parts = [_some(source[origins == origin], random) for origin in range(count)]
    near, far = _directions(torch.cat(parts), _some(target, random))
    labels = np.repeat(np.arange(count), [len(part) for part in parts])
    p = _classifier().fit(near, labels).predict_proba(far)
    shares = np.full(count, 1 / count)
    for _ in range(ROUNDS):
        said = shares * p
        before, shares = shares, (said / said.sum(1, keepdims=True)).mean(0)
        if np.abs(shares - before).max() < TOLERANCE:
            break
    return shares


def density_ratio(source: Float[Tensor, "n d"], target: Float[Tensor, "m d"], seed: int = 0) -> Float[np.ndarray, " n"]:
    """How likely each sample of the source is in the target, `p_T(x) / p_S(x)`, with the mean 1.

    From a classifier of the two domains, weighted alike, `p(T | x) / p(S | x)`, that has not seen the sample: the
    source is divided into 5 parts, and each is told by the classifier of the others. No weight is above 50.

    Paper: Bickel et al. 2009, section 4 (a discriminative ratio). A logistic regression on standardised principal
    directions: exact where both domains are Gaussian with one covariance.

    >>> x = torch.linspace(-1, 1, 40)[:, None]
    >>> ratio = density_ratio(x, x + 0.5)
    >>> bool((np.diff(ratio[::8]) > 0).all()), round(float(ratio.mean()), 6)
    (True, 1.0)
    """
    n, folds = len(source), min(FOLDS, len(source))
    if n < 2 or not len(target):
        raise UsageError(f"Weights need samples of both domains, at least two of the source. Got {n}, {len(target)}.")
    random = generator(seed, "weights", "ratio")
    fold, far = random.permutation(n) % folds, _some(target, random)
    odds = np.empty(n)
    for part in range(folds):
        held_out = torch.from_numpy(fold == part)
        some = _some(source[~held_out], random)
        rows, told = _directions(torch.cat([some, far]), source[held_out])
        model = _classifier().fit(rows, np.repeat([0, 1], [len(some), len(far)]))
        odds[held_out.numpy()] = model.decision_function(told)
    return _weights(odds)


def _weights(odds: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """`exp(odds)` with the mean 1, the largest cut to the one value that is `LARGEST` times the mean after the cut.

    With the k largest cut to c, `c = LARGEST (k c + rest_k) / n`, solved for c by the smallest k whose c the others do
    not exceed. In logarithms, since odds of far samples are beyond what a float can hold.
    """
    n = len(odds)
    falling = np.sort(odds)[::-1]
    rest = np.logaddexp.accumulate(falling[::-1])[::-1]
    k = np.arange(-(-n // LARGEST))
    cuts = np.log(LARGEST) + rest[k] - np.log(n - LARGEST * k)
    fits = cuts >= falling[k]
    odds = np.minimum(odds, cuts[fits.argmax() if fits.any() else -1])
    ratio = np.exp(odds - odds.max())
    return ratio / ratio.mean()


def _classifier() -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(class_weight="balanced", max_iter=2000)


def _some(rows: Float[Tensor, "n d"], random: np.random.Generator) -> Float[Tensor, "k d"]:
    chosen = np.sort(random.permutation(len(rows))[:FITTED])
    return rows[torch.from_numpy(chosen)]


def _directions(
    fitted: Float[Tensor, "n d"], others: Float[Tensor, "m d"]
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "m k"]]:
    """Both in the principal directions of the first, each divided by its deviation there."""
    centre = fitted.double().mean(0)
    rows = fitted.double() - centre
    _, singular, directions = _decomposed(rows.numpy())
    kept = max(1, int((singular > singular[0] * 1e-6).sum()))
    scale = np.maximum(singular[:kept] / len(rows) ** 0.5, 1e-12)
    turned = [part.numpy() @ directions[:kept].T / scale for part in (rows, others.double() - centre)]
    return turned[0], turned[1]


def _decomposed(rows: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The singular value decomposition, of what is large only the first part."""
    if min(rows.shape) <= 4 * WIDTH:
        left, singular, directions = np.linalg.svd(rows, full_matrices=False)
        return left, singular[:WIDTH], directions[:WIDTH]
    from sklearn.utils.extmath import randomized_svd

    left, singular, directions = randomized_svd(rows, WIDTH, random_state=0)
    return left, singular, directions
