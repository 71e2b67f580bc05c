"""What the outputs of trained models are worth on a test split: each seed's metrics, and their mean and spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core import Task
from limbeck.evaluation.metrics import (
    CLASSIFICATION,
    REGRESSION,
    classification_metrics,
    regression_metrics,
    reliability,
)
from limbeck.evaluation.statistics import mean_std

__all__ = ["scored", "summaries", "summary"]

Json = dict[str, Any]


def scored(task: Task, logits: Sequence[Tensor], labels: Tensor | None) -> tuple[Json, list[Json | None]]:
    """`target` and what only classes have, over the seeds; and the metrics of each seed. Null without labels.

    >>> task = Task("classification", ("no", "yes"))
    >>> found, seeds = scored(task, [torch.eye(2), torch.eye(2)], torch.tensor([0, 1]))
    >>> found["target"]["accuracy"], seeds[1]["accuracy"]
    ({'mean': 1.0, 'std': 0.0}, 1.0)
    """
    names = CLASSIFICATION if task.is_classification else REGRESSION
    if labels is None:
        nothing = dict.fromkeys(("per_class", "confusion", "reliability")) if task.is_classification else {}
        return {"target": None, **nothing}, [None] * len(logits)
    found = [_metrics(task, said, labels) for said in logits]
    seeds = [{name: metrics[name] for name in names} for metrics in found]
    told = {"target": summaries(seeds)}
    if task.is_classification:
        told |= _of_classes(found, torch.cat(list(logits)), labels.repeat(len(logits)))
    return told, list(seeds)


def _metrics(task: Task, logits: Tensor, labels: Tensor) -> Json:
    if task.is_classification:
        return classification_metrics(logits, labels, task.classes)
    return dict(regression_metrics(task.restore(logits), labels))


def _of_classes(seeds: Sequence[Json], logits: Tensor, labels: Tensor) -> Json:
    per_class = [
        {"class": of_class[0]["class"], "support": of_class[0]["support"]}
        | {name: summary([seed[name] for seed in of_class]) for name in ("recall", "precision", "f1")}
        for of_class in zip(*(seed["per_class"] for seed in seeds), strict=True)
    ]
    return {
        "per_class": per_class,
        "confusion": np.mean([seed["confusion"] for seed in seeds], axis=0).tolist(),
        "reliability": reliability(logits, labels),
    }


def summaries(seeds: Sequence[Json]) -> Json:
    """The summary of each metric that the seeds have."""
    return {name: summary([seed[name] for seed in seeds]) for name in seeds[0]}


def summary(values: Sequence[float | None]) -> Json | None:
    """Mean and deviation over seeds, null where the value is undefined for one of them."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    mean, std = mean_std(known)
    return {"mean": mean, "std": std}
