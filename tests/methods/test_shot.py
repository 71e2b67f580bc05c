"""SHOT: centroids and pseudo-labels by the paper's equations, a head that does not move, and what it gains."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World, network, settings
from torch import Tensor, nn

from limbeck.core import Batch, Domain, Spec, UsageError
from limbeck.methods.shot import Shot, centroid_labels
from limbeck.networks import Observed
from limbeck.networks.mlp import Mlp
from limbeck.objectives.bnm import Bnm
from limbeck.training import predict, train

WORLD = World()


def by_the_paper(features: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Eq. 5–7 of Liang et al. 2020, sample by sample and class by class."""
    for _ in range(2):
        centroids = [(p[:, k, None] * features).sum(0) / p[:, k].sum() if p[:, k].sum() else None for k in range(3)]
        labels = []
        for g in features:
            distances = [np.inf if c is None else 1 - g @ c / np.linalg.norm(g) / np.linalg.norm(c) for c in centroids]
            labels.append(int(np.argmin(distances)))
        p = np.eye(3)[labels]
    return np.array(labels)


@pytest.mark.parametrize("seed", range(5))
def test_labels_follow_the_papers_equations(seed: int) -> None:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(40, 4)) + 2 * np.eye(4)[np.arange(40) % 3]
    p = draw.dirichlet([0.3] * 3, size=40)
    found = centroid_labels(torch.from_numpy(features), torch.from_numpy(p))
    assert found.tolist() == by_the_paper(features, p).tolist()
    assert found.tolist() != p.argmax(1).tolist(), "the centroids decide, not the network's answer"


def test_a_class_without_a_sample_gets_none() -> None:
    features = torch.tensor([[1.0, 0.1], [0.1, 1.0], [-1.0, -0.2]])  # the last lies away from every centroid
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.1, 0.1, 0.0]])
    assert set(centroid_labels(features, p).tolist()) <= {0, 1}
    assert by_the_paper(features.double().numpy(), p.double().numpy()).tolist() == centroid_labels(features, p).tolist()


def test_the_order_of_the_samples_does_not_matter() -> None:
    features, p = torch.randn(30, 4), torch.randn(30, 3).softmax(1)
    order = torch.randperm(30)
    assert centroid_labels(features[order], p[order]).equal(centroid_labels(features, p)[order])


def built(**more) -> Shot:
    torch.manual_seed(0)
    method, _ = WORLD.built(Shot(**more))
    assert isinstance(method, Shot)
    return method


def test_the_loss_is_that_of_equation_8() -> None:
    method, view = built(weight=0.7), WORLD.domain("target").view()
    method.start_epoch(0, view)
    rows = torch.arange(3, 13)
    method.eval()
    (update,) = method({"target": Batch(view.inputs[rows], rows)}, {})
    logits = method.student(view.inputs[rows]).logits.double().detach().numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    mean = p.mean(0)
    information = -(p * np.log(p)).sum(1).mean() + (mean * np.log(mean)).sum()
    with torch.no_grad():
        everyone = method.student(view.inputs[:34])
    labels = by_the_paper(everyone.feature().double().numpy(), everyone.logits.softmax(1).double().numpy())
    assert method.labels[:34].tolist() == labels.tolist() and method.labels[34:].eq(-1).all()
    supervised = -np.log(p[np.arange(10), labels[rows]]).mean()
    assert update.losses["information"].item() == pytest.approx(information, abs=1e-5)
    assert update.losses["pseudo_labels"].item() == pytest.approx(0.7 * supervised, rel=1e-5)


def test_labels_are_renewed_at_the_epochs_that_were_asked_for() -> None:
    method, view = built(renew=2), WORLD.domain("target").view()
    found = []
    for epoch in range(4):
        with torch.no_grad():
            for parameter in method.student.parameters():
                parameter.add_(torch.randn_like(parameter))
        method.start_epoch(epoch, view)
        found.append(method.labels)
    assert found[0] is found[1] and found[2] is found[3] and not found[1].equal(found[2])


@pytest.mark.parametrize("make", [lambda: Shot(), lambda: Shot(objectives=[Bnm()], renew=2)])
def test_the_head_does_not_move_by_a_bit(make, tmp_path: Path) -> None:
    method = make()
    job = WORLD.job(tmp_path, lambda: method, settings(weight_decay=0.1))
    before = copy.deepcopy(method.student.state_dict())
    train(job)
    after = method.student.state_dict()
    assert all(after[name].equal(before[name]) for name in ("network.6.weight", "network.6.bias"))
    assert not any(after[name].equal(before[name]) for name in ("network.0.weight", "network.4.weight"))
    assert not after["network.1.running_mean"].equal(before["network.1.running_mean"])


class Headed(nn.Module):
    """A linear layer is its head."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(WIDTH, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.only(inputs)


def test_a_head_of_several_layers_stays_whole() -> None:
    made = Mlp(hidden=[4])
    made.build((WIDTH,), 3)
    made.head = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    method, student = Shot(), Observed(made)
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    method.train()
    assert made.body.training and not any(module.training for module in made.head.modules())
    assert not any(parameter.requires_grad for parameter in made.head.parameters())


def test_what_it_cannot_adapt_is_refused() -> None:
    student = Observed(Headed())
    with pytest.raises(UsageError, match="this student is a head alone"):
        Shot().build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    with pytest.raises(UsageError, match="the task is regression"):
        World(VALUES).built(Shot())


def test_it_needs_a_start_and_sees_the_target_alone() -> None:
    assert Shot().requires() == {"start"} and Shot().reads() == ("target",) and Shot.source_free
    assert not Shot().crossing(Spec(3))


def blobs(shift: float, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes around corners of a plane that is turned by `shift` radians."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(240) % 3
    angle = labels * 2 * torch.pi / 3 + shift
    centres = torch.stack([angle.cos(), angle.sin(), *[torch.zeros(240)] * 3], 1) * 2
    return centres + 0.45 * torch.randn(240, WIDTH, generator=draw), labels


def test_it_helps_where_the_classes_are_clusters_that_have_moved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs, labels = blobs(0.0, 0)
    moved, truth = blobs(0.8, 1)
    model = network(3)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimiser.step()
    order = np.arange(240)
    splits = {"labelled": order[:0], "train": order[:160], "selection": order[160:200], "test": order[200:]}
    target = Domain("target", "target", moved, np.zeros(240, dtype=np.int64), CLASSES, splits)
    method, student = Shot(), Observed(model)
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    before = (predict(student, moved).argmax(1) == truth).float().mean()
    job = WORLD.job(tmp_path, Shot, settings(epochs=15, batch_size=32, learning_rate=3e-3))
    train(replace(job, method=method, domains={"target": target.view()}))
    after = (predict(student, moved).argmax(1) == truth).float().mean()
    assert before < 0.9 and after > before + 0.05, (before, after)
