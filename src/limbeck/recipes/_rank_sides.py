"""Both sides of a candidate: samples of its source and of the target, and what its teacher says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from limbeck.core import FEATURES, Domain, Task, UsageError, some_of
from limbeck.data import take
from limbeck.distances import Distance
from limbeck.gap import GapSettings, Rating, measure_distances
from limbeck.recipes._context import Context
from limbeck.recipes._keys import GapPlan
from limbeck.recipes._rooms import parts_of
from limbeck.teachers import Teacher

__all__ = ["Pair", "Side", "point_distances", "read_pair", "teacher_says"]

LEAST = 19
"""Permutations: the fewest that can be asked for, since a ranking shows no p-values."""

ASKED_AT_ONCE = 512


@dataclass(frozen=True)
class Side:
    """Samples of one domain: own [n, d], as the target's data are prepared; what the teacher says; labels [n]."""

    own: Tensor
    said: Tensor
    features: Tensor | None
    labels: Tensor


@dataclass(frozen=True)
class Pair:
    """Both sides. known: whether the target's labels are true ones, or the teacher's guesses.

    unlabelled: the target's training rows in its own representation, for the distances.
    """

    source: Side
    target: Side
    known: bool
    unlabelled: Tensor

    def named(self, score: str) -> str:
        return score if self.known else f"pseudo_{score}"


def read_pair(context: Context, teacher: Teacher, settings: GapSettings) -> Pair:
    """Of the target's labels those of its labelled split are read, and no others; else the teacher's guesses serve.

    The target's own representation is the same for every candidate: as its data part prepares it, fitted on its
    training rows.
    """
    source, target = context.source, context.target
    own = _own_representation(context)
    labelled, train = target.splits["labelled"], target.splits["train"]
    train = train[some_of(len(train), settings.samples)]
    known = bool(len(labelled))
    shown = labelled if known else train
    said, features = teacher_says(teacher, target, shown)
    labels = target.open("labelled", "rank") if known else guesses(context.task, said)
    rows = some_of(len(source.splits["train"]), settings.samples)
    near = source.splits["train"][rows]
    return Pair(
        Side(own(source, near), *teacher_says(teacher, source, near), source.open("train", "rank")[rows]),
        Side(own(target, shown), said, features, labels),
        known,
        own(target, train),
    )


def guesses(task: Task, said: Tensor) -> Tensor:
    """The most probable class of each answer [n], or the answers in the user's unit."""
    return said.argmax(1) if task.is_classification else task.restore(said)


def teacher_says(teacher: Teacher, domain: Domain, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
    """Outputs [n, outputs], and features [n, d] where the teacher gives them, of some rows of a domain."""
    parts = [teacher.label(batch) for batch in teacher.inputs(domain)[torch.from_numpy(rows)].split(ASKED_AT_ONCE)]
    known = "features" in teacher.provides
    features = torch.cat([part.feature(FEATURES) for part in parts]) if known else None
    return torch.cat([part.scores() for part in parts]), features


def point_distances(pair: Pair, plan: GapPlan) -> list[Rating]:
    """Every distance of points between the training rows; smaller is better.

    Distances bound what labels measure: they count where there are none.
    """
    named = {name: kind() for name, kind in parts_of(Distance).items() if not (kind.paired or kind.needs_labels)}
    settings = replace(plan.settings, permutations=LEAST)
    measured = measure_distances({"own": (pair.source.own, pair.unlabelled)}, named, settings)
    return [Rating(m["name"], "distance", m["value"], m["low"], m["high"], False, not pair.known) for m in measured]


def _own_representation(context: Context) -> Callable[[Domain, np.ndarray], Tensor]:
    data, target = context.plan.make("target"), context.target
    rows = np.sort(np.concatenate([target.splits["labelled"], target.splits["train"]]))
    try:
        fitted = data.preprocessing().fit(take(target.raw, rows))
    except UsageError as error:
        raise UsageError(
            f"Candidates are compared in the target's own representation, and nothing can be learnt from {target.name} "
            f"by itself: read 'target' for 'source' in what follows. {error}"
        ) from error
    return lambda domain, chosen: fitted.transform(take(domain.raw, chosen)).flatten(1)
