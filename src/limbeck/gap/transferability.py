"""Scores that say how well a source or a teacher will transfer, from what it makes of labelled target samples.

Where the labels are the teacher's own guesses, whoever reports the score names it a pseudo-label form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import UsageError, did_you_mean
from limbeck.gap._labelled import labelled
from limbeck.gap.evidence import logme

__all__ = ["SCORES", "Candidate", "Score", "h_score", "leep", "nce", "rate", "shrunk_h_score", "transrate"]

DISTORTION = 1e-4
"""ε of TransRate, as in the paper."""


@dataclass(frozen=True)
class Candidate:
    """What a candidate source or teacher makes of target samples, and their labels; `None` is what it cannot give.

    labels: [n], of the target; below 0 where unknown. features: [n, d]. probabilities: [n, source classes], of
    the candidate's own classes, which need not be the target's. source_labels: [n], hard labels in the
    candidate's classes: its most probable one, or true ones where samples have both.
    """

    labels: Int[Tensor, " n"]
    features: Float[Tensor, "n d"] | None = None
    probabilities: Float[Tensor, "n z"] | None = None
    source_labels: Int[Tensor, " n"] | None = None


@dataclass(frozen=True)
class Score:
    """A transferability score: higher is better for all of them.

    function: gets the fields of a `Candidate` named in `reads`, in this order.
    """

    function: Callable[..., float]
    reads: tuple[str, ...]

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(self.reads)

    def missing(self, candidate: Candidate) -> frozenset[str]:
        """What the score needs and the candidate cannot give."""
        return frozenset(name for name in self.reads if getattr(candidate, name) is None)

    def __call__(self, candidate: Candidate) -> float:
        return self.function(*(getattr(candidate, name) for name in self.reads))


def leep(probabilities: Float[Tensor, "n z"], labels: Int[Tensor, " n"]) -> float:
    """Log expected empirical prediction: `1/n Σ_i log Σ_z P(y_i | z) θ(x_i)_z`, in nats; higher is better.

    θ are the candidate's probabilities and P(y, z) = 1/n Σ_{i: y_i = y} θ(x_i)_z.
    Paper: Nguyen et al. 2020. Range: (−∞, 0], and 0 where each source class means one target class.
    Errors: `UsageError` as for `rate`, and for rows that are no probabilities.

    >>> import torch
    >>> y = torch.tensor([0, 1, 0, 1])
    >>> leep(torch.eye(3)[y], y), round(leep(torch.ones(4, 3) / 3, y), 4)  # −log 2
    (0.0, -0.6931)
    """
    soft, classes = labelled("leep", labels, probabilities)
    if (soft < 0).any() or not np.allclose(soft.sum(1), 1, atol=1e-2):
        raise UsageError("The probabilities of leep must be ≥ 0 and sum to 1 in each row. Take the softmax of scores.")
    joint = _onehot(classes).T @ soft / len(soft)
    marginal = joint.sum(0)
    used = marginal > 0
    expected = soft[:, used] @ (joint[:, used] / marginal[used]).T
    return float(np.log(expected[np.arange(len(classes)), classes]).mean())


def nce(source_labels: Int[Tensor, " n"], labels: Int[Tensor, " n"]) -> float:
    """Negative conditional entropy `−H(Y | Z)` of the target's labels given the source's, in nats; higher is better.

    Paper: Tran et al. 2019. Range: [−log classes, 0]. Errors: `UsageError` as for `rate`.

    >>> import torch
    >>> y = torch.tensor([0, 1, 0, 1])
    >>> nce(y + 5, y), round(nce(torch.zeros(4, dtype=torch.long), y), 4)
    (0.0, -0.6931)
    """
    given, classes = labelled("nce", labels, source_labels)
    joint = _onehot(classes).T @ _onehot(np.unique(given, return_inverse=True)[1]) / len(classes)
    conditional = joint / joint.sum(0)
    return float((joint[joint > 0] * np.log(conditional[joint > 0])).sum())


def h_score(features: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> float:
    """The share of the features' variance that lies between classes: `tr(cov(f)⁻¹ cov(E[f | y]))`; higher is better.

    Paper: Bao et al. 2019. Range: [0, min(d, classes − 1)]; no change under any invertible linear
    map. With few samples for its width, d ≥ n − 1, it is classes − 1 whatever the labels: take `shrunk_h_score`.
    Errors: `UsageError` as for `rate`.

    >>> import torch
    >>> y = torch.tensor([0, 0, 1, 1])
    >>> round(h_score(torch.tensor([[0.0], [1.0], [4.0], [5.0]]), y), 4)  # 4 of 4.25
    0.9412
    """
    points, classes = labelled("h_score", labels, features)
    centred = points - points.mean(0)
    inverse = np.linalg.pinv(centred.T @ centred / len(points), rcond=1e-10, hermitian=True)
    return float(np.sum(inverse * _between(centred, classes)))


def shrunk_h_score(features: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> float:
    """The H-score with a covariance that is safe to invert: `(1 − α) tr(Σ_α⁻¹ cov(E[f | y]))`; higher is better.

    Σ_α = (1 − α) cov(f) + α (tr cov(f) / d) I with the α of Ledoit & Wolf 2004 (scikit-learn's).
    Paper: Ibrahim et al. 2022. Range: [0, min(d, classes − 1)]; no change under rotation and scale.
    Errors: `UsageError` as for `rate`.

    >>> import torch
    >>> y = torch.tensor([0, 1]).repeat(10)
    >>> noise = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))  # wider than there are samples
    >>> round(h_score(noise, y), 2), shrunk_h_score(noise, y) < 0.5 < shrunk_h_score(noise + 3 * y[:, None], y)
    (1.0, True)
    """
    from sklearn.covariance import ledoit_wolf

    points, classes = labelled("shrunk_h_score", labels, features)
    centred = points - points.mean(0)
    if not centred.any():
        return 0.0
    covariance, shrinkage = ledoit_wolf(centred, assume_centered=True)
    inverse = np.linalg.pinv(covariance, rcond=1e-10, hermitian=True)
    return float((1 - shrinkage) * np.sum(inverse * _between(centred, classes)))


def transrate(features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], epsilon: float = DISTORTION) -> float:
    """How many nats per sample the labels save in coding the features: `R(Z) − Σ_c n_c/n R(Z_c)`; higher is better.

    R(Z) = ½ log det(I + ZᵀZ / (nε)), the features Z centred over all samples.
    Paper: Huang et al. 2022, with its listing, which weighs all classes equally; n_c/n is the same for balanced
    ones, and keeps the value ≥ 0 for all.
    Range: ≥ 0. No change under rotation; it grows with the scale of the features, against which ε stands. It sees
    the directions of the classes around the common mean: two equal ones that lie opposite each other save nothing.
    Errors: `UsageError` as for `rate`.

    >>> import torch
    >>> y = torch.tensor([0, 1, 2]).repeat(4)
    >>> transrate(torch.eye(3)[y], y) > transrate(torch.eye(3)[y], y.sort().values)
    True
    """
    points, classes = labelled("transrate", labels, features)
    centred = points - points.mean(0)
    parts = [centred[classes == c] for c in range(classes.max() + 1)]
    return _rate(centred, epsilon) - sum(len(part) / len(points) * _rate(part, epsilon) for part in parts)


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "logme": Score(logme, ("features", "labels")),
        "leep": Score(leep, ("probabilities", "labels")),
        "nce": Score(nce, ("source_labels", "labels")),
        "h_score": Score(h_score, ("features", "labels")),
        "shrunk_h_score": Score(shrunk_h_score, ("features", "labels")),
        "transrate": Score(transrate, ("features", "labels")),
    }
)
"""Every transferability score, by name."""


def rate(name: str, candidate: Candidate) -> float:
    """The transferability score `name` of a candidate, higher is better.

    Raises `UsageError` for an unknown name, for what the candidate lacks, and for samples that do not allow a
    score: unequal lengths, labels of fewer than two classes, values that are not finite.

    >>> import torch
    >>> y = torch.tensor([0, 1, 0, 1])
    >>> rate("nce", Candidate(y, source_labels=y))
    0.0
    """
    if name not in SCORES:
        raise UsageError(f"There is no transferability score {name!r}. {did_you_mean(name, SCORES)}")
    missing = SCORES[name].missing(candidate)
    if missing:
        raise UsageError(f"The score {name!r} needs {', '.join(sorted(missing))}, which this candidate does not give.")
    return SCORES[name](candidate)


def _onehot(classes: np.ndarray) -> np.ndarray:
    return np.eye(classes.max() + 1)[classes]


def _between(centred: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The covariance [d, d] of the class means, each counted as often as it has samples."""
    members = _onehot(classes)
    sums = members.T @ centred
    return sums.T @ (sums / members.sum(0)[:, None]) / len(centred)


def _rate(points: np.ndarray, epsilon: float) -> float:
    """½ log det(I + ZᵀZ / (nε)), through the singular values."""
    energy = np.linalg.svd(points, compute_uv=False) ** 2
    return float(0.5 * np.log1p(energy / (len(points) * epsilon)).sum())
