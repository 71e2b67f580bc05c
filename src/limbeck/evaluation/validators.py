"""Label-free validators: scores that choose a checkpoint without target labels. Higher is better for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from limbeck.core import Task, UsageError, did_you_mean
from limbeck.evaluation.calibration import calibrated_information, information_and_clusters
from limbeck.evaluation.feature_validators import (
    class_ami,
    deep_embedded_validation,
    hopkins_statistic,
    reverse_validation,
    transfer_score,
)
from limbeck.evaluation.mixval import mixval
from limbeck.evaluation.prediction_validators import (
    batch_nuclear_norm,
    entropy,
    information_maximisation,
    soft_neighbourhood_density,
)

__all__ = [
    "ALL_VALIDATORS",
    "BETWEEN_METHODS",
    "DEFAULT_VALIDATOR",
    "REGRESSION_VALIDATORS",
    "VALIDATORS",
    "Observations",
    "Validator",
    "applicable",
    "better_on_source",
    "source_validation",
    "validate",
]


ONE_SIDED = 1.645
"""A standard normal number lies above it in one case of twenty."""


@dataclass(frozen=True)
class Observations:
    """What a validator sees: a checkpoint's outputs on the selection splits of both domains.

    source_logits: [n, outputs]. source_labels: [n], classes, or values as the network learns them
    (`DomainView.labels`). target_logits: [m, outputs], without labels.

    The rest is for the validators that need it. source_features and target_features: what the head reads of the
    same samples; source_train_features: of samples that the network was trained on. head_weight: of a last layer
    that is linear. target_inputs: [m, ...], the target samples themselves, and predict: inputs → logits, in
    evaluation mode.
    """

    source_logits: Float[Tensor, "n outputs"]
    source_labels: Int[Tensor, " n"] | Float[Tensor, " n"]
    target_logits: Float[Tensor, "m outputs"]
    task: Task
    source_features: Float[Tensor, "n d"] | None = None
    target_features: Float[Tensor, "m d"] | None = None
    source_train_features: Float[Tensor, "k d"] | None = None
    head_weight: Float[Tensor, "outputs d"] | None = None
    target_inputs: Shaped[Tensor, m * shape] | None = None
    predict: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Validator:
    """A score of a checkpoint, higher is better, and the fields of `Observations` that it cannot do without.

    regression: whether it can also choose checkpoints of a regression; the others read class probabilities.
    """

    score: Callable[[Observations], float]
    needs: frozenset[str] = frozenset()
    regression: bool = False

    @classmethod
    def of(cls, function: Callable[..., float], *reads: str) -> Validator:
        """Of a function that gets these fields of the observations, in this order."""
        optional = {field.name for field in fields(Observations) if field.default is None}
        return cls(lambda seen: function(*(getattr(seen, name) for name in reads)), frozenset(reads) & optional)

    @property
    def reads_source(self) -> bool:
        """Whether it says nothing of a training that may not see the source."""
        return any(name.startswith("source") for name in self.needs)

    def missing(self, observations: Observations) -> frozenset[str]:
        """What it needs and was not observed, or of no sample."""
        return frozenset(name for name in self.needs if _is_missing(getattr(observations, name)))

    def __call__(self, observations: Observations) -> float:
        return self.score(observations)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, Tensor) and not len(value))


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


def better_on_source(own: Observations, other: Observations) -> bool:
    """Whether the errors on the same source samples are smaller beyond chance: one-sided, 5 %, paired.

    The mean difference of the 0–1 losses, or squared errors, lies more than 1.645 of its standard errors above 0.

    >>> labels, task = torch.arange(2).repeat(20), Task("classification", ("a", "b"))
    >>> good, poor = torch.eye(2)[labels], torch.eye(2)[torch.zeros(40, dtype=torch.int64)]
    >>> better_on_source(Observations(good, labels, good, task), Observations(poor, labels, poor, task))
    True
    """
    gain = _source_losses(other) - _source_losses(own)
    return gain.mean().item() > ONE_SIDED * (gain.std() / len(gain) ** 0.5).item()


def _source_losses(seen: Observations) -> Float[Tensor, " n"]:
    if seen.task.is_classification:
        return (seen.source_logits.argmax(1) != seen.source_labels).double()
    return (seen.source_logits.squeeze(1) - seen.source_labels).square().double()


ALL_VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "source_validation": Validator(source_validation, frozenset({"source_labels"}), regression=True),
        "entropy": Validator.of(entropy, "target_logits"),
        "information_maximisation": Validator.of(information_maximisation, "target_logits"),
        "soft_neighbourhood_density": Validator.of(soft_neighbourhood_density, "target_logits"),
        "calibrated_information": Validator.of(
            calibrated_information, "source_logits", "source_labels", "target_logits"
        ),
        "information_and_clusters": Validator.of(
            information_and_clusters, "source_logits", "source_labels", "target_logits", "target_features"
        ),
        "bnm": Validator.of(batch_nuclear_norm, "target_logits"),
        "dev": Validator.of(
            deep_embedded_validation,
            "source_logits",
            "source_labels",
            "source_features",
            "source_train_features",
            "target_features",
        ),
        "class_ami": Validator.of(class_ami, "target_logits", "target_features"),
        "reverse_validation": Validator.of(
            reverse_validation, "source_features", "source_labels", "target_features", "target_logits"
        ),
        "hopkins_statistic": Validator.of(hopkins_statistic, "target_features"),
        "transfer_score": Validator.of(transfer_score, "target_logits", "target_features", "head_weight"),
        "mixval": Validator.of(mixval, "predict", "target_inputs", "target_logits"),
    }
)
"""Every validator, by name."""

DEFAULT_VALIDATOR = "information_and_clusters"
"""What chooses checkpoints of classes where nobody says otherwise: by the evidence in benchmarks/README.md."""

VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        name: validator
        for name, validator in ALL_VALIDATORS.items()
        if validator.needs <= {"source_labels"} or name == DEFAULT_VALIDATOR
    }
)
"""The validators that every checkpoint of classes is scored by: those that need outputs alone, and the default."""

BETWEEN_METHODS = ("information_maximisation", "bnm", "class_ami", "reverse_validation")
"""The validators by which students of different methods are compared.

Two that may stand well among the checkpoints of one training are not of them: soft neighbourhood density and MixVal
prefer a student that is sure of nothing to one that has learnt something.
"""

REGRESSION_VALIDATORS = frozenset(name for name, validator in ALL_VALIDATORS.items() if validator.regression)
"""The validators that suit regression; the others read class probabilities."""


def applicable(observations: Observations) -> list[str]:
    """The names of the validators that can score these observations.

    >>> logits = torch.eye(2)
    >>> applicable(Observations(logits, torch.tensor([0, 1]), logits, Task("classification", ("a", "b"))))[-1]
    'bnm'
    """
    classes = observations.task.is_classification
    return [name for name, v in ALL_VALIDATORS.items() if (classes or v.regression) and not v.missing(observations)]


@torch.no_grad()
def validate(name: str, observations: Observations) -> float:
    """The score of the validator `name`, higher is better.

    Raises `UsageError` for an unknown name, for a validator of classes on a regression, and for
    observations that lack what the validator needs.

    >>> logits = torch.eye(2) * 100
    >>> seen = Observations(logits, torch.tensor([0, 1]), logits, Task("classification", ("a", "b")))
    >>> validate("source_validation", seen)
    1.0
    """
    if name not in ALL_VALIDATORS:
        raise UsageError(f"There is no validator {name!r}. {did_you_mean(name, ALL_VALIDATORS)}")
    validator = ALL_VALIDATORS[name]
    if not observations.task.is_classification and not validator.regression:
        raise UsageError(
            f"The validator {name!r} reads class probabilities and cannot choose checkpoints of a regression. "
            f"Use {' or '.join(sorted(REGRESSION_VALIDATORS))}."
        )
    missing = validator.missing(observations)
    if missing:
        raise UsageError(
            f"The validator {name!r} needs {', '.join(sorted(missing))}, which was not observed. "
            f"Use {' or '.join(applicable(observations))}."
        )
    return validator(observations)
