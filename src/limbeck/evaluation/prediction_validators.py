"""Label-free validators that read predictions on the target alone; higher is better for all of them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["batch_nuclear_norm", "entropy", "information_maximisation", "soft_neighbourhood_density"]

NEIGHBOURS = 2000
"""The most samples that soft neighbourhood density compares: its cost is quadratic."""


def entropy(target_logits: Float[Tensor, "n classes"]) -> float:
    """Negative mean entropy of the predictions, in nats, in [−log classes, 0]; Morerio et al. 2018.

    It is high for confident predictions, also where all samples collapse into one class.

    >>> round(entropy(torch.zeros(3, 2)), 4)
    -0.6931
    """
    return -torch.special.entr(target_logits.float().softmax(1)).sum(1).mean().item()


def information_maximisation(target_logits: Float[Tensor, "n classes"]) -> float:
    """Entropy of the mean prediction − mean entropy of the predictions, in nats, in [0, log classes].

    The mutual information of sample and prediction (Shi & Sha 2012, eq. 8; as a validator Musgrave
    et al. 2022): confident predictions that use all classes.

    >>> round(information_maximisation(torch.eye(2) * 100), 4)
    0.6931
    """
    marginal = target_logits.float().softmax(1).mean(0)
    return torch.special.entr(marginal).sum().item() + entropy(target_logits)


def soft_neighbourhood_density(target_logits: Float[Tensor, "n classes"], temperature: float = 0.05) -> float:
    """Mean entropy of each sample's distribution over its neighbours, in nats, in [0, log(n − 1)].

    Saito et al. 2021 (SND): similarities of L2-normalised softmax outputs without the diagonal,
    divided by the temperature, softmax over each row. Dense clusters score high, and one cluster
    of everything highest. Above 2,000 samples it reads 2,000 of them, evenly spaced.

    >>> round(soft_neighbourhood_density(torch.zeros(5, 3)), 4)  # log 4
    1.3863
    """
    if len(target_logits) < 2:
        return 0.0
    if len(target_logits) > NEIGHBOURS:
        target_logits = target_logits[torch.linspace(0, len(target_logits) - 1, NEIGHBOURS).long()]
    points = torch.nn.functional.normalize(target_logits.float().softmax(1))
    similarity = (points @ points.T / temperature).fill_diagonal_(-torch.inf)
    return torch.special.entr(similarity.softmax(1)).sum(1).mean().item()


def batch_nuclear_norm(target_logits: Float[Tensor, "n classes"]) -> float:
    """The nuclear norm of the predictions over its largest possible value, in (0, 1].

    `‖P‖_* / √(n · min(n, classes))`, P = softmax(logits) (Cui et al. 2020; as a validator Musgrave
    et al. 2022): confident predictions that use all classes alike.

    >>> round(batch_nuclear_norm(torch.eye(2) * 100), 4), round(batch_nuclear_norm(torch.zeros(2, 2)), 4)
    (1.0, 0.5)
    """
    p = target_logits.double().softmax(1)
    return torch.linalg.svdvals(p).sum().item() / math.sqrt(len(p) * min(p.shape))
