"""What compression took and what it cost: a row's student before and after each step, and its teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.evaluation.records import ChainRecord, StepRecord, Study
from limbeck.evaluation.scored import scored, summary
from limbeck.evaluation.statistics import bootstrap, compare, mcnemar, sample_scores, statistic_for, vote, wilson

__all__ = ["compressed"]

Json = dict[str, Any]
Versus = Callable[[int, int], Json | None]

COUNTS = ("parameters", "nonzero", "bytes", "multiply_adds", "peak_memory")


def compressed(study: Study, chain: ChainRecord, metric: str) -> Json:
    """A row's steps as results.json has them, each with what `scored` tells of the target's test split.

    versus_student, versus_teacher: after the step minus before any, and minus the teacher, with the
    paired interval; None without labels or such a teacher. agreement: the share of samples with the
    same prediction as before any step, with Wilson's interval; None for regression. Counts and times
    are means over the seeds.
    """
    lines = [*chain.steps, *([] if chain.teacher is None else [chain.teacher])]
    versus = _versus(study, [line.logits for line in lines], metric)
    numbers = next([seed.seed for seed in row.seeds] for row in study.rows if row.name == chain.row)
    told = [_line(study, line, chain.steps[0], numbers) for line in lines]
    for place, line in enumerate(told[: len(chain.steps)]):
        line["versus_student"] = versus(place, 0)
        line["versus_teacher"] = None if chain.teacher is None else versus(place, len(lines) - 1)
    return {
        "row": chain.row,
        "runtime": told[0]["runtime"],
        "teacher": None if chain.teacher is None else told.pop(),
        "steps": told,
    }


def _line(study: Study, step: StepRecord, first: StepRecord, numbers: Sequence[int]) -> Json:
    found, seeds = scored(study.task, step.logits, study.test_labels)
    return {
        "title": step.title,
        "teacher": step.costs[0].get("teacher"),
        **found,
        "seeds": [{"seed": number, "target": own} for number, own in zip(numbers, seeds, strict=True)],
        "versus_student": None,
        "versus_teacher": None,
        "agreement": _agreement(step.logits, first.logits) if study.task.is_classification else None,
        "runtime": step.costs[0]["runtime"],
        **{name: _mean([costs[name] for costs in step.costs]) for name in COUNTS},
        "latency": _latency([costs["latency"] for costs in step.costs]),
        "train_seconds": float(np.mean([costs.get("train_seconds", 0.0) for costs in step.costs])),
    }


def _versus(study: Study, lines: Sequence[Sequence[Tensor]], metric: str) -> Versus:
    """One line against another by their places; the same resamples serve all."""
    labels = study.test_labels
    if labels is None:
        return lambda one, other: None
    logits = [torch.stack(list(said)) for said in lines]
    point, drawn = bootstrap(
        [sample_scores(said, labels, study.task) for said in logits], statistic_for(metric, labels)
    )

    def versus(one: int, other: int) -> Json | None:
        if one == other:
            return None
        pair, p_value = [one, other], None
        if study.task.is_classification:
            true = labels.cpu().numpy()
            p_value = mcnemar(vote(logits[one]) == true, vote(logits[other]) == true)
        return asdict(compare(point[pair], drawn[pair])) | {"mcnemar_p_value": p_value}

    return versus


def _agreement(step: Sequence[Tensor], first: Sequence[Tensor]) -> Json:
    shares = [float((a.argmax(1) == b.argmax(1)).double().mean()) for a, b in zip(step, first, strict=True)]
    low, high = wilson(float(np.mean(shares)), len(step[0]))
    return {**(summary(shares) or {}), "low": low, "high": high}


def _mean(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known))) if len(known) == len(values) else None


def _latency(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> Json:
    return {
        size: {key: round(float(np.mean([seed[size][key] for seed in seeds])), 4) for key in ("median", "p95")}
        for size in seeds[0]
    }
