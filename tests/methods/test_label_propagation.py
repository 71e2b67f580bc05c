"""Label propagation: against a dense solve, entropies by hand, the labelled nodes that it keeps, and what it gains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import VALUES, World
from trained_blobs import trained_accuracy

from limbeck.core import Batch, UsageError
from limbeck.methods import label_propagation
from limbeck.methods.label_propagation import LabelPropagation
from limbeck.methods.source_only import SourceOnly
from limbeck.objectives.kl import Kl

WORLD = World()


def dense(features: np.ndarray, given: np.ndarray, classes: int, k: int, power: float, alpha: float) -> np.ndarray:
    """`(I − αS)⁻¹ Y` in float64, as Iscen et al. 2019 define it, pair by pair."""
    v = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = v @ v.T
    near = np.zeros_like(cosine)
    for i, row in enumerate(cosine):
        others = [j for j in np.argsort(-row) if j != i][:k]
        near[i, others] = np.maximum(row[others], 0) ** power
    w = near + near.T
    d = w.sum(1)
    s = w / np.sqrt(np.outer(d, d))
    y = np.stack([(given == c).astype(float) for c in range(classes)], 1)
    return np.linalg.solve(np.eye(len(v)) - alpha * s, y)


def built(**more) -> LabelPropagation:
    torch.manual_seed(0)
    method, _ = WORLD.built(LabelPropagation(**more))
    assert isinstance(method, LabelPropagation)
    return method


def source_batch(rows: torch.Tensor) -> Batch:
    view = WORLD.domain("source").view()
    return Batch(view.inputs[rows], rows, view.labels("train")[rows])


def both(rows: torch.Tensor) -> dict[str, Batch]:
    return {"source": source_batch(rows), "target": Batch(WORLD.domain("target").inputs[rows], rows)}


def test_the_labels_and_the_loss_are_those_of_a_dense_solve() -> None:
    method = built(weight=0.7, neighbours=6, power=2.0, alpha=0.9).eval()
    rows, view = torch.arange(34), WORLD.domain("target").view()
    method(both(rows), {})
    method.start_epoch(1, replace(view, opened={}))
    with torch.no_grad():
        features = [method.student(batch.inputs).feature().double().numpy() for batch in both(rows).values()]
    given = np.concatenate([source_batch(rows).labels.numpy(), np.full(34, -1)])
    z = dense(np.concatenate(features), given, 3, 6, 2.0, 0.9)[34:]
    shares = z / z.sum(1, keepdims=True)
    certainty = 1 + (shares * np.log(np.clip(shares, 1e-300, None))).sum(1) / np.log(3)
    assert method.labels[:34].tolist() == z.argmax(1).tolist()
    np.testing.assert_allclose(method.certainty[:34], certainty, atol=1e-4)
    assert method.certainty[34:].eq(0).all() and certainty.max() > 0.05
    (update,) = method(both(rows), {})
    said = method.student(view.inputs[rows]).logits.log_softmax(1).detach().double().numpy()
    expected = -(certainty * said[rows, z.argmax(1)]).mean()
    assert update.losses["propagated"].item() == pytest.approx(0.7 * expected, rel=1e-3)


def test_the_labelled_target_samples_are_nodes_with_their_labels() -> None:
    """With alpha near 0 a label hardly flows, and each keeps its own."""
    method, view = built(alpha=1e-4, neighbours=3), WORLD.domain("target").view()
    method(both(torch.arange(34)), {})
    method.start_epoch(1, view)
    assert method.labels[:6].tolist() == view.labels("labelled").tolist()
    assert method.certainty[:6].gt(0.99).all()


def test_the_nodes_are_the_source_samples_seen_last() -> None:
    method = built(anchors=10)
    for rows in torch.arange(34).split(8)[:4]:
        method(both(rows), {})
    places = torch.tensor([30, 31, *range(22, 30)])  # the eleventh sample takes the place of the first
    assert method.anchor_inputs.equal(source_batch(places).inputs)
    assert method.anchor_labels.equal(source_batch(places).labels)
    small = built(anchors=3)
    small(both(torch.arange(8)), {})
    assert small.anchor_inputs.equal(source_batch(torch.arange(5, 8)).inputs)


def test_the_first_epoch_has_none_and_then_they_are_renewed_as_asked() -> None:
    method, view = built(renew=2), WORLD.domain("target").view()
    method.start_epoch(0, view)
    assert not len(method.labels)
    (update,) = method(both(torch.arange(34)), {})
    assert set(update.losses) == {"cross_entropy"}
    found = []
    for epoch in range(1, 5):
        method.start_epoch(epoch, view)
        found.append(method.labels)
    assert not len(found[0]) and len(found[1]) == 60
    assert found[1] is found[2] and found[3] is not found[2]


def test_the_gradient_reaches_the_student_alone() -> None:
    method, view = built(), WORLD.domain("target").view()
    method(both(torch.arange(34)), {})
    method.start_epoch(1, view)
    (update,) = method(both(torch.arange(8)), {})
    update.losses["propagated"].backward()
    assert all(p.grad is not None for p in method.student.parameters())
    assert not any(value.requires_grad for value in method.buffers())


def test_what_it_cannot_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="the task is regression"):
        World(VALUES).built(LabelPropagation())
    assert LabelPropagation([Kl()]).reads() == ("source", "target")
    monkeypatch.setattr(label_propagation, "LARGEST", 20)
    method = built()
    with pytest.raises(UsageError, match=r"at most 20 training"):  # before the first step, not after an epoch
        method.start_epoch(0, WORLD.domain("target").view())
    method(both(torch.arange(8)), {})
    with pytest.raises(UsageError, match=r"at most 20 training samples of the target\. Got 34: use pseudo_labels"):
        method.start_epoch(1, WORLD.domain("target").view())


@pytest.mark.slow
def test_it_helps_where_the_classes_have_moved(tmp_path: Path) -> None:
    alone = [trained_accuracy(SourceOnly, tmp_path / "alone", seed) for seed in range(2)]
    trained = [trained_accuracy(LabelPropagation, tmp_path / "trained", seed) for seed in range(2)]
    assert np.mean(trained) > np.mean(alone) + 0.03, (trained, alone)
