"""Which checkpoint is kept: the best by its score, of those that have learnt the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_world import World, settings

from limbeck.methods import Method
from limbeck.methods.source_only import SourceOnly
from limbeck.methods.target_only import TargetOnly
from limbeck.training import Job
from limbeck.training._checkpoint import Progress
from limbeck.training._evaluation import _choose, _learnt

WORLD = World()


def job(folder: Path, method: type[Method] = SourceOnly, **changes: object) -> Job:
    return replace(WORLD.job(folder, method, settings(**changes)), validator="fit")


@pytest.mark.parametrize(
    ("learnt", "scores", "kept"),
    [
        ([0.1, 0.8, 0.7], [0.9, 0.3, 0.5], [0, 1, 2]),  # the first one scores best, and had hardly begun
        ([0.8, 0.5, 0.3], [0.1, 0.5, 0.9], [0, 1, 1]),  # the last one has unlearnt the source
        ([0.8, 0.7, 0.6], [0.9, 0.3, 0.5], [0, 0, 0]),  # all know it: the score alone decides
        ([0.1, 0.15, 0.0], [0.9, 0.3, 0.5], [0, 0, 0]),  # none does, and chance is no witness
        ([0.0, 0.0, 0.0], [0.1, 0.3, 0.2], [0, 1, 1]),  # nothing is known of the source
    ],
)
def test_of_what_has_learnt_the_source_the_best_is_kept(
    tmp_path: Path, learnt: Sequence[float], scores: Sequence[float], kept: Sequence[int]
) -> None:
    made, progress, chosen = job(tmp_path), Progress(), []
    for knows, score in zip(learnt, scores, strict=True):
        progress.learnt.append(knows)
        progress.sound.append(True)
        progress.scores.setdefault("fit", []).append(score)
        _choose(made, progress)
        chosen.append(progress.chosen)
    assert chosen == list(kept)


def test_what_was_learnt_is_the_mean_recall_above_chance(tmp_path: Path) -> None:
    method, labels = job(tmp_path).method, torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    sure = torch.eye(3)
    assert _learnt(method, sure[labels], labels) == pytest.approx(1.0)
    assert _learnt(method, sure[[0] * 8], labels) == pytest.approx(0.0)  # the largest class, always
    assert _learnt(method, sure[[0, 0, 1, 1, 1, 1, 0, 0]], labels) == pytest.approx(0.25)  # recalls 1/2, 1, 0
    assert _learnt(method, sure[labels[:4]], labels[:4]) == 0.0  # a single class tells nothing
    upper = job(tmp_path, TargetOnly).method
    assert _learnt(upper, sure[labels], labels) == 0.0  # it does not learn from the source
