"""Whether a candidate is worth transferring from, where the labels are values to regress."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.gap._decision import Judgement, Way, decide
from limbeck.gap.judgement import BEYOND_DOUBT, FOLDS, HARDLY, NEAR_MAXIMUM

__all__ = [
    "LabelledValues",
    "UnlabelledValues",
    "constant_errors",
    "cross_validated_errors",
    "explained",
    "judge_values",
    "returned_share",
]

PENALTY = 10.0
"""scikit-learn's alpha of the simple regression, on standardised features."""

FEWEST = 4
"""Samples below which nothing is cross-validated."""

Errors = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class LabelledValues:
    """Squared errors on the n labelled target samples.

    direct: of the candidate's own answers. probed: of a new head on its features, and alone: of the same regression
    on the target's own representation, both cross-validated, or `None` where that cannot be done. constant: of the
    mean of the other samples' values.
    """

    direct: Errors
    probed: Errors | None
    alone: Errors | None
    constant: Errors


@dataclass(frozen=True)
class UnlabelledValues:
    """What can be told without target labels.

    separation: the proxy A-distance of the domains, 0 to 2. returned: the share of the source's variance that a
    regression explains which learnt the candidate's answers on the target.
    """

    separation: float
    returned: float


def judge_values(
    source: Errors,
    source_constant: Errors,
    target: LabelledValues | UnlabelledValues,
    confidence: float = 0.95,
    order: float | None = None,
) -> Judgement:
    """The verdict on a candidate, by squared errors: `judge` with explained variance in the place of accuracy.

    source, source_constant: squared errors of its teacher, and of the mean, on held-out samples of its source. order:
    Spearman's correlation of its answers there with the values, None where it is not known.

    *do not transfer*: that the teacher has learnt something is not shown on its own source: its errors are not below
    the mean's, nor its order above none, by three standard errors (without a relation `1/√(n − 1)`); or, with
    labels, all ways to use it are expected to do worse than training on the labelled samples alone, or than their
    mean; or only a new head is not, within its interval, and the answers are no better than the mean. Without labels:
    the domains can be told apart almost without fault, and what was learnt on the target explains nothing of the
    source. *transfer*: its answers are expected to do as well or better, and their interval reaches the explained
    variance at home; without labels: the domains hardly differ. *transfer with adaptation*: all between.

    >>> good, bad = np.linspace(0, 0.1, 50), np.linspace(1, 2, 50)
    >>> judge_values(good, bad, LabelledValues(good, None, None, bad)).verdict
    'transfer'
    >>> judge_values(good, bad, LabelledValues(bad + 1, None, good, bad)).verdict
    'do not transfer'
    """
    ordered = order is not None and order * (len(source) - 1) ** 0.5 > BEYOND_DOUBT
    if not (ordered or _better(source, source_constant, BEYOND_DOUBT)):
        told = "" if order is None else f", and the order of its answers has a correlation of {order:.2f} with theirs"
        reason = (
            f"Its teacher explains {_share(explained(source, source_constant))} of the variance of {len(source)} "
            f"held-out samples of its own source{told}: that it has learnt something that could be transferred is not "
            "shown."
        )
        return Judgement("do not transfer", isinstance(target, LabelledValues), reason)
    if isinstance(target, LabelledValues):
        return _by_labels(explained(source, source_constant), target, confidence)
    return _by_gap(target)


def explained(errors: Errors, constant: Errors) -> float:
    """The share of the variance that is explained, `1 − Σ errors / Σ constant`; 0 for the mean, below it without end.

    >>> explained(np.array([1.0, 1.0]), np.array([4.0, 4.0]))
    0.75
    """
    total = float(constant.sum())
    return 1 - float(errors.sum()) / total if total else 0.0


def constant_errors(values: Float[Tensor, " n"]) -> Errors:
    """The squared error of each value to the mean of the others.

    >>> import torch
    >>> constant_errors(torch.tensor([0.0, 1.0, 2.0])).tolist()
    [2.25, 0.0, 2.25]
    """
    wanted = values.detach().cpu().double().numpy()
    return np.square((wanted - wanted.mean()) * len(wanted) / max(len(wanted) - 1, 1))


def cross_validated_errors(features: Float[Tensor, "n d"], values: Float[Tensor, " n"], seed: int = 0) -> Errors | None:
    """The squared error on each sample of a ridge regression that learnt from the other folds; None below four samples.

    Five folds at most; features are standardised. A fold less than all is what it learns from.

    >>> import torch
    >>> x = torch.linspace(-1, 1, 200)[:, None]
    >>> bool(cross_validated_errors(x, 3 * x[:, 0]).mean() < 0.05)
    True
    """
    wanted = values.detach().cpu().double().numpy()
    rows = _finite(features)
    if len(wanted) < FEWEST:
        return None
    fold = generator(seed, "rank", "value folds").permutation(len(wanted)) % FOLDS
    found = np.empty(len(wanted))
    for held_out in (fold == k for k in np.unique(fold)):
        found[held_out] = _ridge().fit(rows[~held_out], wanted[~held_out]).predict(rows[held_out])
    return np.square(found - wanted)


def returned_share(
    source: Float[Tensor, "n d"],
    values: Float[Tensor, " n"],
    target: Float[Tensor, "m d"],
    answers: Float[Tensor, " m"],
) -> float:
    """The share of the source's variance explained by a ridge regression that learnt the answers on the target.

    >>> import torch
    >>> x = torch.linspace(-1, 1, 200)[:, None]
    >>> returned_share(x, x[:, 0], x, x[:, 0]) > 0.9, returned_share(x, x[:, 0], x, -x[:, 0]) < 0
    (True, True)
    """
    found = _ridge().fit(_finite(target), answers.detach().cpu().double().numpy()).predict(_finite(source))
    return explained(np.square(found - values.cpu().double().numpy()), constant_errors(values))


def _by_labels(at_home: float, target: LabelledValues, confidence: float) -> Judgement:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    trained = target.alone is not None and bool(target.alone.mean() < target.constant.mean())
    alone = target.alone if trained and target.alone is not None else target.constant
    ways = [_way("its answers explain", target.direct, alone, target.constant, z)]
    if target.probed is not None:
        ways.append(_way("a new head on its features explains", target.probed, alone, target.constant, z))
    reached = explained(target.direct - z * _error(target.direct), target.constant)
    lost = f"On its own source they explain {_share(at_home)}: the gap costs the rest." if reached < at_home else ""
    known = _better(target.direct, target.constant, NormalDist().inv_cdf(confidence))
    return decide(_reference(target, trained), ways, known, "the mean of the labels", lost)


def _way(words: str, errors: Errors, alone: Errors, constant: Errors, z: float) -> Way:
    """Differences as shares of the variance, so that they read as points."""
    scale = float(constant.mean()) or 1.0
    difference, margin = float((alone - errors).mean()) / scale, z * _error(alone - errors) / scale
    words = f"{words} {_share(explained(errors, constant))} of the variance"
    return Way(words, difference, difference - margin, difference + margin)


def _reference(target: LabelledValues, trained: bool) -> str:
    samples = f"{len(target.direct)} labelled target samples"
    if trained and target.alone is not None:
        share = _share(explained(target.alone, target.constant))
        return (
            f"Trained on the {samples} alone, a simple regression explains {share} of their variance (cross-validated)"
        )
    why = "too few to train on" if target.alone is None else "training on them alone is no better"
    return f"The mean of the {samples} explains none of their variance ({why})"


def _by_gap(target: UnlabelledValues) -> Judgement:
    reason = (
        f"Without target labels this is a weak verdict: the A-distance is {target.separation:.2f} of 2, and a "
        f"regression that learns its answers on the target explains {_share(target.returned)} of the source's variance."
    )
    if target.separation >= NEAR_MAXIMUM and target.returned <= 0:
        return Judgement("do not transfer", False, reason)
    return Judgement("transfer" if target.separation < HARDLY else "transfer with adaptation", False, reason)


def _better(errors: Errors, constant: Errors, deviations: float) -> bool:
    """Whether errors lie below those of the mean by more than so many standard errors."""
    gain = constant - errors
    return len(gain) > 1 and float(gain.mean()) > deviations * _error(gain)


def _error(values: Errors) -> float:
    """The standard error of a mean."""
    return float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0


def _finite(features: Float[Tensor, "n d"]) -> Float[np.ndarray, "n d"]:
    rows = features.detach().cpu().double().numpy()
    if not np.isfinite(rows).all():
        raise UsageError("The features that a regression is to learn from are not finite: fill or remove them first.")
    return rows


def _ridge() -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=PENALTY))


def _share(explained: float) -> str:
    return f"{explained:.0%}" if explained > 0 else "nothing"
