"""What an adaptive training tells of itself: by hand, from the same samples, and without changing anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import VALUES, World, settings

from limbeck.core import DomainView
from limbeck.distances.coral import Coral
from limbeck.gap import class_shares
from limbeck.methods.distill import Distill
from limbeck.methods.fine_tune import FineTune
from limbeck.methods.shot import Shot
from limbeck.methods.source_only import SourceOnly
from limbeck.methods.target_only import TargetOnly
from limbeck.objectives.adversarial import Adversarial
from limbeck.objectives.align import Align
from limbeck.objectives.cdan import Cdan
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.trackers.jsonl import Jsonl
from limbeck.training import _evaluation as evaluation
from limbeck.training import train
from limbeck.training._checkpoint import Progress
from limbeck.training._diagnostics import diagnose, is_adaptive, sample_of
from limbeck.training._predict import Seen

WORLD = World()


def built(method=None):
    return WORLD.built(method or Distill([CrossEntropy(), Align(Coral())]))[0]


def seen(logits: list[list[float]], width: int = 2) -> Seen:
    values = torch.tensor(logits)
    return Seen(values, torch.randn(len(values), width, generator=torch.Generator().manual_seed(len(values))))


def test_shares_and_entropy_by_hand() -> None:
    """A model that is certain: predicted shares are those of the largest logits, expected ones as BBSE solves them."""
    progress, labels = Progress(), torch.tensor([0, 0, 1, 1, 2, 2])
    source = seen((9 * torch.eye(3)[labels]).tolist())
    even = [[0.0, 0.0, 0.0]]
    target = seen((9 * torch.eye(3)[torch.tensor([0, 1, 1, 1, 1, 1])]).tolist() + 2 * even)
    found = diagnose(progress, built(), source, labels, target)
    assert found["largest"] == pytest.approx(5 / 8)  # even logits count as the first class
    q = class_shares(labels, source.logits.softmax(1), target.logits.softmax(1)).estimated
    assert progress.expected == pytest.approx(q.tolist())
    assert found["balance"] == pytest.approx(np.abs(np.array([3, 5, 0]) / 8 - q).sum() / 2)
    certain = torch.special.entr(torch.tensor([9.0, 0.0, 0.0]).softmax(0)).sum()
    assert found["entropy"] == pytest.approx((6 * float(certain) + 2 * np.log(3)) / 8, rel=1e-5)
    assert set(found) == {"gap", "probe", "entropy", "balance", "largest"}


def test_the_expected_shares_are_of_the_evaluation_that_told_classes_apart_best() -> None:
    progress, labels, method = Progress(), torch.tensor([0, 0, 1, 1, 2, 2]), built()
    blind = seen([[0.0, 0.0, 0.0]] * 6)
    diagnose(progress, method, blind, labels, blind)
    assert progress.expected == pytest.approx([1 / 3] * 3)  # nothing is told apart: the source's own shares
    sharp = seen((9 * torch.eye(3)[labels]).tolist())
    moved = seen((9 * torch.eye(3)[torch.tensor([2, 2, 2, 0])]).tolist())
    diagnose(progress, method, sharp, labels, moved)
    assert progress.expected == pytest.approx([0.25, 0.0, 0.75], abs=1e-3)
    diagnose(progress, method, blind, labels, seen([[9.0, 0.0, 0.0]] * 4))  # a collapse does not move them
    assert progress.expected == pytest.approx([0.25, 0.0, 0.75], abs=1e-3)
    assert progress.diagnostics["balance"][-1] == pytest.approx(0.75, abs=1e-3)


def test_without_a_source_there_is_no_gap_and_the_first_predictions_are_expected() -> None:
    progress, none = Progress(), Seen(torch.empty(0, 3), torch.empty(0, 2))
    method = built(Shot())
    first = seen([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]] * 5)
    found = diagnose(progress, method, none, torch.empty(0, dtype=torch.int64), first)
    assert set(found) == {"entropy", "balance", "largest"} and found["balance"] < 0.01
    later = diagnose(progress, method, none, torch.empty(0, dtype=torch.int64), seen([[9.0, 0.0, 0.0]] * 10))
    assert later["balance"] == pytest.approx(0.5, abs=0.01)


def test_a_few_samples_or_values_to_regress_are_no_error() -> None:
    progress = Progress()
    one = diagnose(progress, built(), seen([[1.0, 0.0, 0.0]] * 9), torch.arange(9) % 3, seen([[1.0, 0.0, 0.0]]))
    assert set(one) == {"entropy", "balance", "largest"}
    method = World(VALUES).built(Distill([Align(Coral())]))[0]
    values = diagnose(Progress(), method, seen([[1.0]] * 9), torch.zeros(9), seen([[1.0]] * 8))
    assert set(values) == {"gap", "probe"}


def test_the_bandwidth_stays_that_of_the_first_evaluation() -> None:
    progress, method, labels = Progress(), built(), torch.arange(12) % 3
    wide = seen([[0.0, 0.0, 0.0]] * 12)
    diagnose(progress, method, wide, labels, wide)
    first = progress.bandwidth
    diagnose(progress, method, wide._replace(features=50 * wide.features), labels, wide)
    assert progress.bandwidth == first > 0 and len(progress.diagnostics["gap"]) == 2


@pytest.mark.parametrize("objective", [Adversarial(), Cdan()])
def test_a_discriminator_shows_its_accuracy(objective, tmp_path: Path) -> None:
    method = Distill([CrossEntropy(), objective])
    train(WORLD.job(tmp_path, lambda: method), [Jsonl()])
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    shown = [line["diagnostics/discriminator"] for line in lines]
    assert shown[-1] == pytest.approx(float(objective.discriminator.accuracy)) and all(0 <= a <= 1 for a in shown)
    history = np.load(tmp_path / "history.npz")
    assert history["diagnostics/discriminator"].tolist() == pytest.approx(shown)
    assert history["diagnostics/gap"].shape == (3,)


@pytest.mark.parametrize(
    ("method", "adaptive"),
    [
        (SourceOnly(), False),
        (TargetOnly(), False),
        (FineTune(), True),
        (Shot(), True),
        (Distill([CrossEntropy()]), False),
        (Distill([CrossEntropy(), Adversarial()]), True),
    ],
)
def test_who_learns_from_the_target_without_all_its_labels(method, adaptive: bool) -> None:
    assert is_adaptive(method) == adaptive


def test_the_sample_is_the_same_each_time_and_of_the_size_that_is_said() -> None:
    view = DomainView("far", torch.zeros(0), {})
    assert sample_of(view, 2000).sum() == 256 and sample_of(view, 2000).equal(sample_of(view, 2000))
    assert sample_of(view, 30).all()


def test_telling_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, scores and logits are bit-equal to those of a training that is not looked at."""

    def found(folder: Path) -> list[object]:
        train(WORLD.job(folder, lambda: Distill([CrossEntropy(), Adversarial()]), settings(epochs=4)))
        history = np.load(folder / "history.npz")
        kept = [history[name].tobytes() for name in sorted(history) if not name.startswith("diagnostics/")]
        return [(folder / "weights.safetensors").read_bytes(), *kept]

    told = found(tmp_path / "told")
    monkeypatch.setattr(evaluation, "is_adaptive", lambda method: False)
    assert found(tmp_path / "silent") == told
