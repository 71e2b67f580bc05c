"""Label-free validators that read features besides predictions; higher is better for all of them.

Nothing here depends on when or how often it is called, nor on the order of the samples: what is drawn at random is
drawn after the samples were brought into an order that follows from their values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import RunError, generator

__all__ = [
    "canonical_order",
    "class_ami",
    "classifier_uniformity",
    "deep_embedded_validation",
    "density_ratios",
    "hopkins_statistic",
    "reverse_validation",
    "transfer_score",
]

INVERSE_PENALTY = 0.1
"""scikit-learn's C of the classifiers, on standardised features."""

LARGEST = 50.0
"""No density ratio is above it: about 1 on average, that of a far sample is otherwise without bound."""

RESTARTS = 10
"""So many random starts of k-means, of which the tightest counts."""

PROBED = 0.1
"""The share of the samples that the Hopkins statistic probes, at least 50 of them or all."""


def deep_embedded_validation(
    source_logits: Float[Tensor, "n classes"],
    source_labels: Int[Tensor, " n"],
    source_features: Float[Tensor, "n d"],
    source_train_features: Float[Tensor, "k d"],
    target_features: Float[Tensor, "m d"],
) -> float:
    """DEV: minus the source's error rate, reweighed to the target, with a control variate; higher is better.

    `−(mean(w·l) + η mean(w) − η)`, η = −Cov(w·l, w) / Var(w), w of `density_ratios`, l the 0–1 loss, on
    source samples that neither the network nor the ratios were fitted on. η is 0 where all w are equal.
    Paper: You et al. 2019; the domains are told apart by a logistic regression, not by a network of two layers.
    Range: minus an error rate, about [−1, 0], which the control variate may leave.

    >>> logits, y, x = torch.tensor([[1.0, 0.0]] * 4), torch.tensor([0, 0, 0, 1]), torch.tensor([[0.0], [1.0]] * 2)
    >>> round(deep_embedded_validation(logits, y, x, x, x), 4)  # no gap: one error in four
    -0.25
    """
    loss = (source_logits.argmax(1) != source_labels).double().cpu().numpy()
    weights = density_ratios(source_train_features, target_features, source_features)
    return -_controlled_risk(loss, weights)


def density_ratios(
    source: Float[Tensor, "k d"], target: Float[Tensor, "m d"], at: Float[Tensor, "n d"]
) -> Float[np.ndarray, " n"]:
    """w(x) = p_target(x) / p_source(x) at some points: `k/m · P(target | x) / P(source | x)` of a logistic regression.

    Paper: Bickel et al. 2007, as in You et al. 2019. Range: (0, 50]; about 1 on average over points of the source.
    Deviation: none is above 50, so that one sample far from all others does not outweigh them.

    >>> x = torch.tensor([[0.0], [1.0], [2.0]])
    >>> density_ratios(x, x, x).round(4).tolist()
    [1.0, 1.0, 1.0]
    """
    rows = np.concatenate([_ordered(source), _ordered(target)])
    side = np.repeat([0, 1], [len(source), len(target)])
    model = _logistic_regression().fit(rows, side)
    odds = model.decision_function(_rows(at)) + np.log(len(source) / len(target))
    return np.exp(np.minimum(odds, np.log(LARGEST)))


def class_ami(target_logits: Float[Tensor, "m classes"], target_features: Float[Tensor, "m d"]) -> float:
    """How well the predicted classes agree with clusters of the features: their adjusted mutual information.

    The clusters are those of k-means with as many of them as there are classes.
    Paper: Musgrave et al. 2022 (ClassAMI). Range: at most 1, for equal partitions, about 0 for unrelated ones;
    0 where all samples are predicted to be of one class.

    >>> logits = torch.eye(2).repeat(5, 1)
    >>> class_ami(logits, 10 * logits), class_ami(logits[:1].expand(10, 2), 10 * logits)
    (1.0, 0.0)
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score

    order = canonical_order(target_features)
    rows, predicted = _rows(target_features)[order], _predicted(target_logits)[order]
    clusters = min(target_logits.shape[1], len(np.unique(rows, axis=0)))
    if clusters < 2 or len(np.unique(predicted)) < 2:
        return 0.0
    found = KMeans(clusters, init="random", n_init=RESTARTS, random_state=0).fit_predict(rows)
    return float(adjusted_mutual_info_score(predicted, found))


def reverse_validation(
    source_features: Float[Tensor, "n d"],
    source_labels: Int[Tensor, " n"],
    target_features: Float[Tensor, "m d"],
    target_logits: Float[Tensor, "m classes"],
) -> float:
    """The accuracy on the source of a classifier that learned from the target with the checkpoint's predictions.

    Paper: Zhong et al. 2010, as in Ganin et al. 2016, section 5.1; the way back is a logistic regression on
    the checkpoint's own features, and not the whole adaptation anew. Range: [0, 1].

    >>> logits = torch.eye(2).repeat(5, 1)
    >>> reverse_validation(logits, logits.argmax(1), logits, logits)
    1.0
    """
    order = canonical_order(target_features)
    rows, predicted = _rows(target_features)[order], _predicted(target_logits)[order]
    labels = source_labels.cpu().numpy()
    if len(np.unique(predicted)) < 2:
        return float((labels == predicted[0]).mean())
    return float((_logistic_regression().fit(rows, predicted).predict(_rows(source_features)) == labels).mean())


def hopkins_statistic(features: Float[Tensor, "m d"]) -> float:
    """Whether the samples lie in clusters: `Σ u / (Σ u + Σ w)`; higher is better.

    u: from points drawn uniformly over the features' ranges to the nearest sample; w: from as many samples to the
    nearest other one.
    Paper: Hopkins & Skellam 1954; part of the transfer score, Yang et al. 2024, eq. 3, which raises u and w to
    the power d. Here, as in the program that was published with it, they are not raised: in tens of dimensions
    the largest distance alone would decide.
    Range: [0, 1]; about 0.5 for uniform samples, towards 1 for clusters, 0 where all samples coincide.

    >>> hopkins_statistic(torch.tensor([[0.0, 0.0], [1.0, 1.0]]).repeat(10, 1)), hopkins_statistic(torch.ones(5, 2))
    (1.0, 0.0)
    """
    from sklearn.neighbors import NearestNeighbors

    rows = _ordered(features)
    if len(rows) < 2 or not np.ptp(rows, axis=0).any():
        return 0.0
    random = generator(0, "hopkins_statistic", *rows.shape)
    probed = min(len(rows), max(50, int(PROBED * len(rows))))
    uniform = random.uniform(rows.min(0), rows.max(0), (probed, rows.shape[1]))
    chosen = rows[random.permutation(len(rows))[:probed]]
    search = NearestNeighbors().fit(rows)
    u = search.kneighbors(uniform, 1)[0].sum()
    w = search.kneighbors(chosen, 2)[0][:, 1].sum()  # the nearest one is the sample itself
    return float(u / (u + w))


def classifier_uniformity(head_weight: Float[Tensor, "classes d"]) -> float:
    """How unevenly a linear head divides the space: `mean over i ≠ j of (θ_ij − θ)²`, in rad²; *lower* is better.

    θ_ij: the angle of the weights of two classes; θ = arccos(−1/(classes − 1)), which all have when they are evenly
    spread. Paper: Yang et al. 2024, eq. 1–2. Range: [0, π²).

    >>> round(classifier_uniformity(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])), 6), round(math.pi**2 / 4, 3)
    (0.0, 2.467)
    """
    directions = torch.nn.functional.normalize(head_weight.detach().double())
    angles = (directions @ directions.T).clamp(-1, 1).arccos()
    classes = len(angles)
    even = math.acos(-1 / (classes - 1))
    return ((angles - even) ** 2).fill_diagonal_(0).sum().item() / (classes * (classes - 1))


def transfer_score(
    target_logits: Float[Tensor, "m classes"],
    target_features: Float[Tensor, "m d"],
    head_weight: Float[Tensor, "classes d"],
) -> float:
    """−`classifier_uniformity` + `hopkins_statistic` + mutual information / log classes; higher is better.

    The mutual information is that of sample and prediction on the target, as in `information_maximisation`.
    Paper: Yang et al. 2024, eq. 5; see `hopkins_statistic` for what differs. Range: (−π², 2].

    >>> logits = 100 * torch.eye(2).repeat(10, 1)
    >>> round(transfer_score(logits, logits, torch.tensor([[1.0, -1.0], [-1.0, 1.0]])), 4)
    2.0
    """
    p = target_logits.double().softmax(1)
    information = torch.special.entr(p.mean(0)).sum() - torch.special.entr(p).sum(1).mean()
    spread = hopkins_statistic(target_features) - classifier_uniformity(head_weight)
    return spread + information.item() / math.log(p.shape[1])


def canonical_order(rows: Tensor) -> Int[np.ndarray, " n"]:
    """An order of the samples that follows from their values, however they lie.

    >>> x = torch.tensor([[3.0], [1.0], [2.0]])
    >>> x[canonical_order(x)].equal(x.flip(0)[canonical_order(x.flip(0))])
    True
    """
    values = _rows(rows)
    direction = generator(0, "canonical_order").standard_normal(values.shape[1])
    return np.argsort((values * direction).sum(1), kind="stable")


def _controlled_risk(loss: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
    """The mean of the weighted losses, less what the weights' own mean tells of its chance error."""
    weighted = weights * loss
    spread = weights - weights.mean()
    variance = (spread**2).sum()
    eta = -(spread * (weighted - weighted.mean())).sum() / variance if variance > 1e-12 * len(weights) else 0.0
    return float(weighted.mean() + eta * (weights.mean() - 1))


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=1000))


def _rows(samples: Tensor) -> Float[np.ndarray, "n d"]:
    rows = samples.detach().flatten(1).cpu().double().numpy()
    if not np.isfinite(rows).all():
        raise RunError("The features that a validator reads are not finite: the training diverged.")
    return rows


def _ordered(samples: Tensor) -> Float[np.ndarray, "n d"]:
    return _rows(samples)[canonical_order(samples)]


def _predicted(logits: Tensor) -> Int[np.ndarray, " n"]:
    return logits.argmax(1).cpu().numpy()
