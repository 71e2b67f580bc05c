"""What one candidate for classes is worth: its scores and the verdict, from a context whose teacher is ready."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.evaluation import classification_metrics, reverse_validation
from limbeck.gap import (
    SCORES,
    AtHome,
    Candidate,
    GapSettings,
    Judgement,
    Labelled,
    Rating,
    Unlabelled,
    cross_validated,
    dataset_distance,
    domain_separation,
    judge,
    rate,
    subsampled,
    wilson,
)
from limbeck.recipes._context import Context
from limbeck.recipes._keys import GapPlan
from limbeck.recipes._rank_sides import Pair, point_distances, read_pair, teacher_says
from limbeck.recipes._teachers import ready_teacher

__all__ = ["score_candidate"]

LEFT_OUT = frozenset({"h_score"})
"""Its shrunk form serves few samples, and equals it where there are many."""

SHOWN = frozenset({"transrate"})
"""Scores that are shown and do not count: this one grows with the scale of features, which each teacher chooses."""

CERTAIN = frozenset({"nce"})
"""Scores that are 0 for every candidate where the labels are its own guesses."""


def score_candidate(context: Context) -> dict[str, Any]:
    """The scores of a candidate and the verdict on it, as rank.json holds them.

    Where no target label is known, the scores are pseudo-label forms, with the teacher's guesses.
    """
    plan: GapPlan = context.plan.make("gap")
    settings = plan.settings
    teacher = ready_teacher(context, next(iter(context.plan.teachers)), context.plan.seeds[0])
    pair = read_pair(context, teacher, settings)
    held_out = teacher_says(teacher, context.source, context.source.splits["test"])[0]
    answers = context.source.open("test", "rank")
    metrics = classification_metrics(held_out, answers, context.task.classes)
    right = (held_out.argmax(1) == answers).numpy()
    side, counts = pair.target, not pair.known
    probed = (
        cross_validated(side.features, side.labels, settings.seed) if pair.known and side.features is not None else None
    )
    ratings = [
        *_transferability(pair, probed, settings),
        *point_distances(pair, plan),
        _label_distance(pair, settings),
        Rating("source_accuracy", "teacher", metrics["accuracy"], *wilson(right, settings.confidence), counts=counts),
        Rating("calibration_error", "teacher", metrics["ece"], higher_is_better=False, counts=counts),
        Rating("source_samples", "teacher", float(len(context.source.splits["train"])), counts=counts),
    ]
    samples = answers.bincount().tolist()
    at_home = AtHome(right, max(samples) / len(answers), metrics["auc"], samples, metrics["balanced_accuracy"])
    return {
        "source": context.source.name,
        "balanced_source_accuracy": metrics["balanced_accuracy"],
        "held_out_samples": len(answers),
        "target_samples": len(pair.target.labels),
        "scores": [asdict(rating) for rating in ratings],
        **asdict(_judged(at_home, pair, probed, settings)),
    }


def _transferability(pair: Pair, probed: np.ndarray | None, settings: GapSettings) -> list[Rating]:
    """The scores that the teacher allows; none but accuracies where all labels, or guesses, are of one class.

    probed: where a new head on the features was right. What is expected is the better of it and the answers.
    """
    side, guessed = pair.target, pair.target.said.argmax(1)
    candidate = Candidate(side.labels, side.features, side.said.softmax(1), guessed)
    left_out = LEFT_OUT if pair.known else LEFT_OUT | CERTAIN
    names = [name for name, score in SCORES.items() if name not in left_out and not score.missing(candidate)]
    if len(side.labels.unique()) < 2:
        names = []
    ratings = []
    for name in names:
        entry = subsampled(partial(_rated, name, candidate), side.labels, settings)
        ratings.append(Rating(pair.named(name), "transferability", *entry, counts=name not in SHOWN))
    if pair.known:
        right = (guessed == side.labels).numpy()
        best = right if probed is None or right.mean() >= probed.mean() else probed
        for name, found in (("target_accuracy", right), ("expected_accuracy", best)):
            interval = wilson(found, settings.confidence)
            ratings.append(Rating(name, "transferability", float(found.mean()), *interval))
    return ratings


def _rated(name: str, candidate: Candidate, rows: Tensor) -> float:
    """A score of some of the samples."""
    given = (candidate.features, candidate.probabilities, candidate.source_labels)
    return rate(
        name, Candidate(candidate.labels[rows], *(None if values is None else values[rows] for values in given))
    )


def _label_distance(pair: Pair, settings: GapSettings) -> Rating:
    """The distance of the labelled sets; smaller is better."""
    near, far = pair.source, pair.target
    count = len(near.labels)

    def between(rows: Tensor) -> float:
        source, target = rows[rows < count], rows[rows >= count] - count
        return dataset_distance(near.own[source], near.labels[source], far.own[target], far.labels[target])

    strata = torch.cat([near.labels, far.labels + near.labels.max() + 1])
    entry = subsampled(between, strata, settings)
    return Rating(pair.named("dataset_distance"), "distance", *entry, higher_is_better=False, counts=not pair.known)


def _judged(at_home: AtHome, pair: Pair, probed: np.ndarray | None, settings: GapSettings) -> Judgement:
    near, far = pair.source, pair.target
    evidence: Labelled | Unlabelled
    if pair.known:
        labels = far.labels
        alone = cross_validated(far.own, labels, settings.seed)
        constant = labels.bincount().max().item() / len(labels)
        evidence = Labelled((far.said.argmax(1) == labels).numpy(), probed, alone, constant)
    else:
        back = reverse_validation(near.own, near.labels, far.own, far.said)
        constant = near.labels.bincount().max().item() / len(near.labels)
        evidence = Unlabelled(domain_separation(near.own, far.own), back, len(near.labels), constant)
    return judge(at_home, evidence, settings.confidence)
