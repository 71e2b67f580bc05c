"""What one candidate is worth: its scores and the verdict, from a context whose teacher is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core import FEATURES, Domain
from limbeck.data import take
from limbeck.distances import Distance
from limbeck.evaluation import classification_metrics, reverse_validation
from limbeck.gap import (
    SCORES,
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
    measure_distances,
    rate,
    subsampled,
    wilson,
)
from limbeck.recipes._context import Context
from limbeck.recipes._plan import GapPlan
from limbeck.recipes._rooms import parts_of
from limbeck.recipes._teachers import ready_teacher
from limbeck.teachers import Teacher

__all__ = ["score_candidate"]

LEFT_OUT = frozenset({"h_score"})
"""Its shrunk form serves few samples, and equals it where there are many."""

CERTAIN = frozenset({"nce"})
"""Scores that are 0 for every candidate where the labels are its own guesses."""

LEAST = 19
"""Permutations: the fewest that can be asked for, since a ranking shows no p-values."""

ASKED_AT_ONCE = 512


@dataclass(frozen=True)
class _Side:
    """Samples of one domain: own [n, d], as the target's data are prepared; what the teacher says; labels [n]."""

    own: Tensor
    logits: Tensor
    features: Tensor | None
    labels: Tensor

    @property
    def guesses(self) -> Tensor:
        return self.logits.argmax(1)


@dataclass(frozen=True)
class _Pair:
    """Both sides. known: whether the target's labels are true ones, or the teacher's guesses."""

    source: _Side
    target: _Side
    known: bool

    def named(self, score: str) -> str:
        return score if self.known else f"pseudo_{score}"


def score_candidate(context: Context) -> dict[str, Any]:
    """The scores of a candidate and the verdict on it, as rank.json holds them.

    Of the target's labels those of its labelled split are read, and no others; where it is empty, the scores are
    pseudo-label forms, with the teacher's guesses. Distances lie in the target's own representation, which is the
    same for every candidate: as its data part prepares it, fitted on its training rows.
    """
    plan: GapPlan = context.plan.make("gap")
    settings = plan.settings
    teacher = ready_teacher(context, next(iter(context.plan.teachers)), context.plan.seeds[0])
    pair, unlabelled = _pair(context, teacher, settings)
    held_out = teacher_says(teacher, context.source, context.source.splits["test"])[0]
    answers = context.source.open("test", "rank")
    metrics = classification_metrics(held_out, answers, context.task.classes)
    right = (held_out.argmax(1) == answers).numpy()
    ratings = [
        *_transferability(pair, settings),
        *_distances(pair, unlabelled, plan),
        Rating("source_accuracy", "teacher", metrics["accuracy"], *wilson(right, settings.confidence)),
        Rating("calibration_error", "teacher", metrics["ece"], higher_is_better=False),
        Rating("source_samples", "teacher", float(len(context.source.splits["train"]))),
    ]
    chance = answers.bincount().max().item() / len(answers)
    return {
        "source": context.source.name,
        "balanced_source_accuracy": metrics["balanced_accuracy"],
        "held_out_samples": len(answers),
        "target_samples": len(pair.target.labels),
        "scores": [asdict(rating) for rating in ratings],
        **asdict(_judged(right, chance, pair, settings)),
    }


def teacher_says(teacher: Teacher, domain: Domain, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
    """Logits [n, classes], and features [n, d] where the teacher gives them, of some rows of a domain."""
    parts = [teacher.label(batch) for batch in teacher.inputs(domain)[torch.from_numpy(rows)].split(ASKED_AT_ONCE)]
    known = "features" in teacher.provides
    features = torch.cat([part.feature(FEATURES) for part in parts]) if known else None
    return torch.cat([part.scores() for part in parts]), features


def _pair(context: Context, teacher: Teacher, settings: GapSettings) -> tuple[_Pair, Tensor]:
    """Both sides, and the target's training rows in its own representation, for the distances."""
    source, target = context.source, context.target
    own = _own_representation(context)
    labelled, train = target.splits["labelled"], _thinned(target.splits["train"], settings)
    known = bool(len(labelled))
    shown = labelled if known else train
    logits, features = teacher_says(teacher, target, shown)
    labels = target.open("labelled", "rank") if known else logits.argmax(1)
    rows = _thinned(np.arange(len(source.splits["train"])), settings)
    near = source.splits["train"][rows]
    pair = _Pair(
        _Side(own(source, near), *teacher_says(teacher, source, near), source.open("train", "rank")[rows]),
        _Side(own(target, shown), logits, features, labels),
        known,
    )
    return pair, own(target, train)


def _own_representation(context: Context) -> Callable[[Domain, np.ndarray], Tensor]:
    data, target = context.plan.make("target"), context.target
    rows = np.sort(np.concatenate([target.splits["labelled"], target.splits["train"]]))
    fitted = data.preprocessing().fit(take(target.raw, rows))
    return lambda domain, chosen: fitted.transform(take(domain.raw, chosen)).flatten(1)


def _thinned(rows: np.ndarray, settings: GapSettings) -> np.ndarray:
    """At most `settings.samples` rows, evenly spaced."""
    if len(rows) <= settings.samples:
        return rows
    return rows[np.linspace(0, len(rows) - 1, settings.samples).astype(np.int64)]


def _transferability(pair: _Pair, settings: GapSettings) -> list[Rating]:
    """The scores that the teacher allows; none where all its guesses are of one class."""
    side = pair.target
    if not pair.known and len(side.guesses.unique()) < 2:
        return []
    candidate = Candidate(side.labels, side.features, side.logits.softmax(1), side.guesses)
    left_out = LEFT_OUT if pair.known else LEFT_OUT | CERTAIN
    names = [name for name, score in SCORES.items() if name not in left_out and not score.missing(candidate)]
    ratings = []
    for name in names:
        entry = subsampled(partial(_rated, name, candidate), side.labels, settings)
        ratings.append(Rating(pair.named(name), "transferability", *entry))
    if pair.known:
        right = (side.guesses == side.labels).numpy()
        ratings.append(
            Rating("target_accuracy", "transferability", float(right.mean()), *wilson(right, settings.confidence))
        )
    return ratings


def _rated(name: str, candidate: Candidate, rows: Tensor) -> float:
    """A score of some of the samples."""
    given = (candidate.features, candidate.probabilities, candidate.source_labels)
    return rate(
        name, Candidate(candidate.labels[rows], *(None if values is None else values[rows] for values in given))
    )


def _distances(pair: _Pair, unlabelled: Tensor, plan: GapPlan) -> list[Rating]:
    """Every distance of points between the training rows, and the one of labelled sets; smaller is better."""
    named = {name: kind() for name, kind in parts_of(Distance).items() if not (kind.paired or kind.needs_labels)}
    settings = replace(plan.settings, permutations=LEAST)
    measured = measure_distances({"own": (pair.source.own, unlabelled)}, named, settings)
    ratings = [Rating(m["name"], "distance", m["value"], m["low"], m["high"], False) for m in measured]
    near, far = pair.source, pair.target
    count = len(near.labels)

    def between(rows: Tensor) -> float:
        source, target = rows[rows < count], rows[rows >= count] - count
        return dataset_distance(near.own[source], near.labels[source], far.own[target], far.labels[target])

    strata = torch.cat([near.labels, far.labels + near.labels.max() + 1])
    entry = subsampled(between, strata, plan.settings)
    return [*ratings, Rating(pair.named("dataset_distance"), "distance", *entry, higher_is_better=False)]


def _judged(right: np.ndarray, chance: float, pair: _Pair, settings: GapSettings) -> Judgement:
    near, far = pair.source, pair.target
    evidence: Labelled | Unlabelled
    if pair.known:
        labels = far.labels
        probed = None if far.features is None else cross_validated(far.features, labels, settings.seed)
        alone = cross_validated(far.own, labels, settings.seed)
        constant = labels.bincount().max().item() / len(labels)
        evidence = Labelled((far.guesses == labels).numpy(), probed, alone, constant)
    else:
        back = reverse_validation(near.own, near.labels, far.own, far.logits)
        constant = near.labels.bincount().max().item() / len(near.labels)
        evidence = Unlabelled(domain_separation(near.own, far.own), back, len(near.labels), constant)
    return judge(right, chance, evidence, settings.confidence)
