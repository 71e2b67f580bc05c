"""Label-free validators: scores that choose a checkpoint without target labels. Higher is better for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import Task, UsageError, did_you_mean

__all__ = [
    "REGRESSION_VALIDATORS",
    "VALIDATORS",
    "Observations",
    "entropy",
    "information_maximisation",
    "soft_neighbourhood_density",
    "source_validation",
    "validate",
]

NEIGHBOURS = 2000
"""The most samples that soft neighbourhood density compares: its cost is quadratic."""


@dataclass(frozen=True)
class Observations:
    """What a validator sees: a checkpoint's outputs on the selection splits of both domains.

    source_logits: [n, outputs]. source_labels: [n], classes, or values as the network learns them
    (`DomainView.labels`). target_logits: [m, outputs], without labels.
    """

    source_logits: Float[Tensor, "n outputs"]
    source_labels: Int[Tensor, " n"] | Float[Tensor, " n"]
    target_logits: Float[Tensor, "m outputs"]
    task: Task


def source_validation(observations: Observations) -> float:
    """Accuracy on the source's selection split, in [0, 1]; for regression −RMSE in units of `task.scale`.

    The validator of most papers on adaptation (Ganin & Lempitsky 2015), and a strong one (Musgrave
    et al. 2022); blind to the target.

    >>> logits, labels = torch.tensor([[3.0, 0.0], [3.0, 0.0]]), torch.tensor([0, 1])
    >>> source_validation(Observations(logits, labels, logits, Task("classification", ("a", "b"))))
    0.5
    """
    logits, labels = observations.source_logits, observations.source_labels
    if observations.task.is_classification:
        return (logits.argmax(1) == labels).float().mean().item()
    return -(logits.float().squeeze(1) - labels).square().mean().sqrt().item()


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

    Saito et al. 2021, eq. 1–3: similarities of L2-normalised softmax outputs without the diagonal,
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


VALIDATORS: Mapping[str, Callable[[Observations], float]] = MappingProxyType(
    {
        "source_validation": source_validation,
        "entropy": lambda seen: entropy(seen.target_logits),
        "information_maximisation": lambda seen: information_maximisation(seen.target_logits),
        "soft_neighbourhood_density": lambda seen: soft_neighbourhood_density(seen.target_logits),
    }
)

REGRESSION_VALIDATORS = frozenset({"source_validation"})
"""The validators that suit regression; the others read class probabilities."""


@torch.no_grad()
def validate(name: str, observations: Observations) -> float:
    """The score of the validator `name`, higher is better.

    Raises `UsageError` for an unknown name, and for a validator of classes on a regression.

    >>> logits = torch.eye(2) * 100
    >>> seen = Observations(logits, torch.tensor([0, 1]), logits, Task("classification", ("a", "b")))
    >>> validate("source_validation", seen)
    1.0
    """
    if name not in VALIDATORS:
        raise UsageError(f"There is no validator {name!r}. {did_you_mean(name, VALIDATORS)}")
    if not observations.task.is_classification and name not in REGRESSION_VALIDATORS:
        raise UsageError(
            f"The validator {name!r} reads class probabilities and cannot choose checkpoints of a regression. "
            f"Use {' or '.join(sorted(REGRESSION_VALIDATORS))}."
        )
    return VALIDATORS[name](observations)
