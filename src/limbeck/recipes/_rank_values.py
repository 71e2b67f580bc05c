"""What one candidate for values to regress is worth: its scores and the verdict, as `_rank_scores` does for classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.gap import (
    GapSettings,
    Judgement,
    LabelledValues,
    Rating,
    UnlabelledValues,
    constant_errors,
    cross_validated_errors,
    domain_separation,
    explained,
    judge_values,
    logme_of_values,
    returned_share,
    subsampled,
)
from limbeck.recipes._context import Context
from limbeck.recipes._keys import GapPlan
from limbeck.recipes._rank_sides import Pair, point_distances, read_pair, teacher_says
from limbeck.recipes._teachers import ready_teacher

__all__ = ["score_value_candidate"]


def score_value_candidate(context: Context) -> dict[str, Any]:
    """The scores of a candidate and the verdict on it, as rank.json holds them.

    Where no target label is known, there are none of transferability: a teacher's own values are explained by its
    features without fault, whatever they are worth.
    """
    plan: GapPlan = context.plan.make("gap")
    settings = plan.settings
    teacher = ready_teacher(context, next(iter(context.plan.teachers)), context.plan.seeds[0])
    pair = read_pair(context, teacher, settings)
    truth = context.source.open("test", "rank")
    said = context.task.restore(teacher_says(teacher, context.source, context.source.splits["test"])[0])
    errors, constant = _squared(said, truth), constant_errors(truth)
    order = _order(said, truth, torch.arange(len(truth)))
    side = pair.target
    probed = None
    if pair.known and side.features is not None:
        probed = cross_validated_errors(side.features, side.labels, settings.seed)
    on_target = _transferability(context, pair, probed, settings)
    ratings = [
        *on_target,
        *point_distances(pair, plan),
        Rating("source_explained", "teacher", *_explained(errors, constant, settings), counts=not on_target),
        Rating("source_samples", "teacher", float(len(context.source.splits["train"])), counts=not on_target),
    ]
    return {
        "source": context.source.name,
        "balanced_source_accuracy": None,
        "held_out_samples": len(truth),
        "target_samples": len(pair.target.labels),
        "scores": [asdict(rating) for rating in ratings],
        **asdict(_judged(context, {"source": errors, "source_constant": constant, "order": order}, pair, probed)),
    }


def _transferability(context: Context, pair: Pair, probed: np.ndarray | None, settings: GapSettings) -> list[Rating]:
    """Of labelled target samples: how much of their variance is explained, the order of the answers, LogME.

    probed: the squared errors of a new head on the features. Expected is the better of it and the answers.
    """
    side = pair.target
    if not pair.known or len(side.labels.unique()) < 2:
        return []
    answers, one = context.task.restore(side.said), torch.zeros(len(side.labels), dtype=torch.long)
    errors, constant = _squared(answers, side.labels), constant_errors(side.labels)
    best = errors if probed is None or errors.mean() <= probed.mean() else probed
    found = {
        "target_explained": _explained(errors, constant, settings),
        "expected_explained": _explained(best, constant, settings),
        "target_order": subsampled(partial(_order, answers, side.labels), one, settings),
    }
    if side.features is not None:
        found["logme"] = subsampled(partial(_logme, side.features, side.labels), one, settings)
    return [Rating(name, "transferability", *entry) for name, entry in found.items()]


def _explained(
    errors: np.ndarray, constant: np.ndarray, settings: GapSettings
) -> tuple[float, float | None, float | None]:
    one = torch.zeros(len(errors), dtype=torch.long)
    return subsampled(lambda rows: explained(errors[rows.numpy()], constant[rows.numpy()]), one, settings)


def _order(answers: Tensor, labels: Tensor, rows: Tensor) -> float:
    """Spearman's correlation, 0 where one of the two does not vary."""
    from scipy.stats import spearmanr

    one, other = answers[rows].numpy(), labels[rows].numpy()
    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else 0.0


def _logme(features: Tensor, labels: Tensor, rows: Tensor) -> float:
    return logme_of_values(features[rows], labels[rows])


def _judged(context: Context, at_home: Mapping[str, Any], pair: Pair, probed: np.ndarray | None) -> Judgement:
    """at_home: what `judge_values` takes of the source."""
    settings: GapSettings = context.plan.make("gap").settings
    near, far = pair.source, pair.target
    answers = context.task.restore(far.said)
    evidence: LabelledValues | UnlabelledValues
    if pair.known:
        alone = cross_validated_errors(far.own, far.labels, settings.seed)
        evidence = LabelledValues(_squared(answers, far.labels), probed, alone, constant_errors(far.labels))
    else:
        returned = returned_share(near.own, near.labels, far.own, answers)
        evidence = UnlabelledValues(domain_separation(near.own, far.own), returned)
    return judge_values(**at_home, target=evidence, confidence=settings.confidence)


def _squared(answers: Tensor, truth: Tensor) -> np.ndarray:
    return np.square((answers - truth).double().numpy())
