"""Confidence that was measured on the source, before anything is concluded from it on the target."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.evaluation.feature_validators import class_ami
from limbeck.evaluation.prediction_validators import information_maximisation

__all__ = ["calibrated_information", "information_and_clusters", "source_temperature"]

LOWEST, HIGHEST = 1 / 8, 32
"""Where no sample is wrong, the best temperature is 0, and where the logits tell nothing it is infinite."""


def information_and_clusters(
    source_logits: Float[Tensor, "n classes"],
    source_labels: Int[Tensor, " n"],
    target_logits: Float[Tensor, "m classes"],
    target_features: Float[Tensor, "m d"],
) -> float:
    """The mean of `calibrated_information` over log classes and of `class_ami`; about [0, 1], higher is better.

    Two witnesses who err in different ways: a network may be sure of wrong answers, and samples may lie in clusters
    that are no classes. Both reach 1 where the answers are certain, deserve it on the source, use all classes alike
    and follow the clusters of the features. The sum is ours; it was chosen among combinations on tasks of three
    families and scored on three others (benchmarks/README.md, "Choosing without target labels").

    >>> labels = torch.arange(3).repeat(10)
    >>> logits = 20 * torch.eye(3)[labels]
    >>> round(information_and_clusters(logits, labels, logits, logits), 4)
    1.0
    """
    information = calibrated_information(source_logits, source_labels, target_logits)
    classes = target_logits.shape[1]
    share = information / math.log(classes) if classes > 1 else 0.0
    return (share + class_ami(target_logits, target_features)) / 2


def calibrated_information(
    source_logits: Float[Tensor, "n classes"],
    source_labels: Int[Tensor, " n"],
    target_logits: Float[Tensor, "m classes"],
) -> float:
    """`information_maximisation` of the target's logits over `source_temperature`; in nats, in [0, log classes].

    A network that was trained to be sure scores high by its confidence alone. Here it counts only as far as
    it was deserved on the source's selection split. The two together: Guo et al. 2017 and Shi & Sha 2012, eq. 8.
    Without a labelled sample of the source, which a source-free student may not see, its confidence counts as it is.

    >>> labels, logits = torch.tensor([0, 1, 0, 1]), 9 * torch.eye(2)[[0, 1, 1, 0]]  # sure, and wrong for half of them
    >>> round(calibrated_information(logits, labels, logits), 2)
    0.01
    """
    known = source_labels >= 0
    heat = source_temperature(source_logits[known], source_labels[known]) if known.any() else 1.0
    return information_maximisation(target_logits.float() / heat)


def source_temperature(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> float:
    """The temperature T at which softmax(logits / T) has the least cross-entropy, from 1/8 to 32.

    Paper: Guo et al. 2017, section 4.2. The loss is convex in 1/T, so what is found is the least there is.

    >>> labels, logits = torch.tensor([0, 0, 0, 1]), 9 * torch.tensor([[1.0, 0.0]] * 4)
    >>> round(source_temperature(logits, labels) * math.log(3), 2)  # softmax([9, 0] / T) is 3 to 1
    9.0
    """
    from scipy.optimize import minimize_scalar

    exact = logits.double()
    found = minimize_scalar(
        lambda heat: torch.nn.functional.cross_entropy(exact / math.exp(heat), labels).item(),
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
    )
    return math.exp(found.x)
