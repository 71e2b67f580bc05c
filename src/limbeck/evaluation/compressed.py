"""What compression took and what it cost: a row's student before and after each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.evaluation.records import ChainRecord, Study
from limbeck.evaluation.statistics import bootstrap, compare, mcnemar, mean_std, sample_scores, statistic_for, vote

__all__ = ["compressed"]

Json = dict[str, Any]

COUNTS = ("parameters", "nonzero", "bytes", "multiply_adds", "peak_memory")


def compressed(study: Study, chain: ChainRecord, metric: str) -> Json:
    """A row's steps as results.json has them: `score` is the headline metric, on the target's test split.

    versus_student: after the step minus before any, with the paired interval. agreement: the share of
    samples with the same prediction as before any step; None for regression. Counts and times are
    means over the seeds. score and versus_student are None where the target has no labels.
    """
    first = chain.steps[0]
    scores = _scores(study, chain, metric)
    lines = []
    for place, step in enumerate(chain.steps):
        point, versus = scores[place] if scores else (None, None)
        same = [_agreement(*pair) for pair in zip(step.logits, first.logits, strict=True)]
        lines.append(
            {
                "title": step.title,
                "teacher": step.costs[0].get("teacher"),
                "score": point,
                "versus_student": versus,
                "agreement": _summary(same) if study.task.is_classification else None,
                **{name: _mean([costs[name] for costs in step.costs]) for name in COUNTS},
                "latency": _latency([costs["latency"] for costs in step.costs]),
                "train_seconds": float(np.mean([costs.get("train_seconds", 0.0) for costs in step.costs])),
            }
        )
    return {"row": chain.row, "runtime": first.costs[0]["runtime"], "steps": lines}


def _scores(study: Study, chain: ChainRecord, metric: str) -> list[tuple[Json, Json | None]] | None:
    """Each line's metric over seeds, and its paired difference to the first; None without labels."""
    labels = study.test_labels
    if labels is None:
        return None
    logits = [torch.stack(list(step.logits)) for step in chain.steps]
    samples = [sample_scores(said, labels, study.task) for said in logits]
    statistic = statistic_for(metric, labels)
    point, drawn = bootstrap(samples, statistic)
    ones = np.ones((1, len(labels)))
    found: list[tuple[Json, Json | None]] = []
    for place, own in enumerate(samples):
        summary = _summary(statistic(ones, own)[0].tolist())
        versus = None
        if place:
            pair, p_value = [place, 0], None
            if study.task.is_classification:
                true = labels.cpu().numpy()
                p_value = mcnemar(vote(logits[place]) == true, vote(logits[0]) == true)
            versus = asdict(compare(point[pair], drawn[pair])) | {"mcnemar_p_value": p_value}
        found.append((summary, versus))
    return found


def _agreement(step: Tensor, first: Tensor) -> float:
    return float((step.argmax(1) == first.argmax(1)).double().mean())


def _summary(values: Sequence[float]) -> Json:
    mean, std = mean_std(values)
    return {"mean": mean, "std": std}


def _mean(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known))) if len(known) == len(values) else None


def _latency(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> Json:
    return {
        size: {key: round(float(np.mean([seed[size][key] for seed in seeds])), 4) for key in ("median", "p95")}
        for size in seeds[0]
    }
