"""Self-training: which labels are chosen, by hand and sample by sample; when; and what they gain."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import VALUES, World
from trained_blobs import trained_accuracy

from limbeck.core import Batch, UsageError
from limbeck.methods.pseudo_labels import PseudoLabels, class_balanced
from limbeck.methods.source_only import SourceOnly
from limbeck.objectives.kl import Kl

WORLD = World()


def by_the_paper(p: np.ndarray, portion: float) -> list[int]:
    """The rule of Zou et al. 2018, sample by sample and class by class."""
    predicted, kinds = p.argmax(1), p.shape[1]
    cuts = np.full(kinds, np.inf)
    for k in range(kinds):
        sure = sorted(p[predicted == k, k], reverse=True)
        if sure:
            cuts[k] = sure[max(math.ceil(portion * len(sure)), 1) - 1]
    labels = []
    for row in p:
        best = max(range(kinds), key=lambda k: row[k] / cuts[k])
        labels.append(best if row[best] >= cuts[best] else -1)
    return labels


@pytest.mark.parametrize("portion", [0.01, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_labels_follow_the_paper(seed: int, portion: float) -> None:
    p = np.random.default_rng(seed).dirichlet([0.5, 0.7, 0.2, 0.9], size=50)
    found = class_balanced(torch.from_numpy(p), portion).tolist()
    assert found == by_the_paper(p, portion)


def test_a_hard_class_gets_its_share_where_one_threshold_would_leave_it_out() -> None:
    p = torch.tensor([[0.99, 0.01], [0.98, 0.02], [0.97, 0.03], [0.96, 0.04], [0.45, 0.55], [0.4, 0.6]])
    found = class_balanced(p, 0.5)
    assert found.tolist() == [0, 0, -1, -1, -1, 1]
    assert class_balanced(p, 1.0).ge(0).all()


def test_a_class_that_nobody_predicts_gets_no_label() -> None:
    p = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    assert class_balanced(p, 1.0).tolist() == [0, 1]


def test_a_label_may_be_another_class_than_the_most_probable() -> None:
    """Against its own threshold, 0.4 and not 0.9, the harder class is the clearer one."""
    p = torch.tensor([[0.9, 0.05, 0.05], [0.5, 0.45, 0.05], [0.3, 0.4, 0.3]])
    assert class_balanced(p, 0.5).tolist() == [0, 1, 1]


def test_the_portion_grows_up_to_its_most() -> None:
    method = PseudoLabels(portion=0.2, growth=0.1, most=0.45, wait=2)
    assert [method.portion_of(epoch) for epoch in range(2, 6)] == pytest.approx([0.2, 0.3, 0.4, 0.45])


def test_the_loss_is_of_the_labelled_samples_over_all() -> None:
    method, _ = WORLD.built(PseudoLabels(weight=0.6, portion=0.5, most=0.5, wait=1))
    assert isinstance(method, PseudoLabels)
    view = WORLD.domain("target").view()
    method.start_epoch(0, view)
    source = WORLD.domain("source").view()
    method.eval()
    rows = torch.arange(5, 15)
    found = {"source": Batch(source.inputs[rows], rows, rows % 3), "target": Batch(view.inputs[rows], rows)}
    assert set(next(iter(method(found, {}))).losses) == {"cross_entropy"}, "no labels before the epochs of waiting"
    method.start_epoch(1, view)
    (update,) = method(found, {})
    with torch.no_grad():
        p = method.student(view.inputs).logits.double().softmax(1).numpy()
    labels = by_the_paper(p[:34], 0.5)
    assert method.labels[:34].tolist() == labels and method.labels[34:].eq(-1).all(), "none but training samples"
    losses = [-math.log(p[row, labels[row]]) if labels[row] >= 0 else 0.0 for row in rows]
    assert 0 < sum(loss > 0 for loss in losses) < 10
    assert update.losses["pseudo_labels"].item() == pytest.approx(0.6 * sum(losses) / 10, rel=1e-4)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'most' of pseudo_labels must be at least its 'portion', 0\.6"):
        PseudoLabels(portion=0.6, most=0.5)
    with pytest.raises(UsageError, match="the task is regression"):
        World(VALUES).built(PseudoLabels())
    assert PseudoLabels().reads() == ("source", "target")
    assert PseudoLabels([Kl()]).requires() == {"teacher"}


@pytest.mark.slow
def test_it_helps_where_the_classes_have_moved(tmp_path: Path) -> None:
    alone = [trained_accuracy(SourceOnly, tmp_path / "alone", seed) for seed in range(3)]
    trained = [trained_accuracy(PseudoLabels, tmp_path / "trained", seed) for seed in range(3)]
    assert np.mean(trained) > np.mean(alone) + 0.03, (trained, alone)
