"""Confidence that was measured on the source, before anything is concluded from it on the target."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.evaluation.validators import information_maximisation

__all__ = ["calibrated_information", "source_temperature"]

LOWEST, HIGHEST = 1 / 8, 32
"""Where no sample is wrong, the best temperature is 0, and where the logits tell nothing it is infinite."""


def calibrated_information(
    source_logits: Float[Tensor, "n classes"],
    source_labels: Int[Tensor, " n"],
    target_logits: Float[Tensor, "m classes"],
) -> float:
    """`information_maximisation` of the target's logits over `source_temperature`; in nats, in [0, log classes].

    A network that was trained to be sure scores high by its confidence alone. Here it counts only as far as
    it was deserved on the source's selection split. The two together: Guo et al. 2017 and Shi & Sha 2012, eq. 8.

    >>> labels, logits = torch.tensor([0, 1, 0, 1]), 9 * torch.eye(2)[[0, 1, 1, 0]]  # sure, and wrong for half of them
    >>> round(calibrated_information(logits, labels, logits), 2)
    0.01
    """
    return information_maximisation(target_logits.float() / source_temperature(source_logits, source_labels))


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
