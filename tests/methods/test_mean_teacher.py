"""The mean teacher: its average in closed form, its mask by hand, its views drawn again, and what it gains."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, KilledError, World, network, settings
from torch import nn
from turned_blobs import accuracy

from limbeck.augmentations.flip import Flip
from limbeck.augmentations.mask import Mask
from limbeck.augmentations.mixup import Mixup
from limbeck.augmentations.noise import Noise
from limbeck.core import Batch, Knowledge, Spec, UsageError
from limbeck.methods._target_pass import training_rows
from limbeck.methods.mean_teacher import MeanTeacher, class_thresholds, consistency
from limbeck.methods.source_only import SourceOnly
from limbeck.networks import Observed
from limbeck.objectives import Schedule, Term
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl, kl
from limbeck.training import train

WORLD = World()


def built(**more) -> MeanTeacher:
    method, student = MeanTeacher(**more), Observed(network(3), ["inputs"])
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(3))
    return method


def batches() -> dict[str, Batch]:
    draw = torch.Generator().manual_seed(0)
    source = Batch(torch.randn(6, WIDTH, generator=draw), torch.arange(6), torch.arange(6) % 3)
    return {"source": source, "target": Batch(torch.randn(4, WIDTH, generator=draw) + 1, torch.arange(4))}


@pytest.mark.parametrize("decay", [0.0001, 0.5, 0.9])
def test_the_average_is_the_plain_mean_until_the_decay_forgets_the_first(decay: float) -> None:
    """From `θ'ₜ = αₜ θ'ₜ₋₁ + (1 − αₜ) θₜ` each θ has the weight `(1 − αₜ) Π_{s>t} α_s`, in float64."""
    method, said = built(decay=decay), []
    for _ in range(7):
        with torch.no_grad():
            for value in method.student.network.state_dict().values():
                value.copy_(torch.randn(value.shape) if value.is_floating_point() else value + 1)
        said.append({name: value.clone() for name, value in method.student.network.state_dict().items()})
        method.after_update()
    kept = [min(decay, t / (t + 1)) for t in range(7)]
    weights = [(1 - kept[t]) * math.prod(kept[t + 1 :]) for t in range(7)]
    assert sum(weights) == pytest.approx(1)  # the first step leaves nothing of what was there before
    if decay == 0.9:
        assert weights == pytest.approx([1 / 7] * 7)
    for name, value in method.average.network.state_dict().items():
        if value.is_floating_point():  # running means and variances are among them
            expected = sum(w * state[name].double() for w, state in zip(weights, said, strict=True))
            torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
        else:
            assert value.equal(said[-1][name])
    assert method.average is method.evaluated


def test_the_mask_and_the_loss_by_hand() -> None:
    average = torch.log(torch.tensor([[0.9, 0.1, 0.0], [0.5, 0.3, 0.2], [0.05, 0.0, 0.95], [0.2, 0.79, 0.01]]))
    student = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.4, 0.4], [0.6, 0.2, 0.2]]))
    found = {threshold: float(consistency(student, average, threshold)) for threshold in (0.0, 0.6, 0.89, 0.99)}
    losses = {row: -math.log(p) for row, p in enumerate([0.7, 0.1, 0.4, 0.2])}
    for threshold, rows in ((0.0, [0, 1, 2, 3]), (0.6, [0, 2, 3]), (0.89, [0, 2]), (0.99, [])):
        assert found[threshold] == pytest.approx(sum(losses[row] for row in rows) / 4, abs=1e-6)


def test_the_gradient_reaches_the_student_and_never_the_average() -> None:
    average, student = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    consistency(student, average, 0.0).backward()
    assert student.grad is not None and student.grad.abs().sum() > 0 and average.grad is None
    method = built(threshold=0.0).train()
    (update,) = method(batches(), {})
    update.losses["consistency"].backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in method.student.parameters())
    assert all(p.grad is None and not p.requires_grad for p in method.average.parameters())


def test_the_losses_of_a_step() -> None:
    """The terms on the weak view, the average's labels on the strong one."""
    method = built(objectives=[CrossEntropy(), Term(Kl(), 0.5)], strong=[Noise(2.0)], threshold=0.4, weight=0.3).eval()
    with torch.no_grad():
        for value in method.average.parameters():
            value.add_(torch.randn(value.shape))
    found, said = batches(), Knowledge(torch.randn(4, 3))
    torch.manual_seed(5)
    (update,) = method(found, {"target": said})
    strong = method.strong_view(found["target"])
    assert not strong.equal(found["target"].inputs)
    logits = {name: method.student(batch.inputs).logits for name, batch in found.items()}
    p = method.average(found["target"].inputs).logits.softmax(1).detach().double().numpy()
    answers = method.student(strong).logits.log_softmax(1).detach().double().numpy()
    used = p.max(1) >= 0.4
    assert used.any()
    expected = -(answers[np.arange(4), p.argmax(1)] * used).mean()
    hard = nn.functional.cross_entropy(logits["source"], found["source"].labels)
    assert update.losses["cross_entropy"].item() == pytest.approx(hard.item(), rel=1e-5)
    assert update.losses["kl"].item() == pytest.approx(0.5 * kl(logits["target"], said.scores()).item(), rel=1e-5)
    assert update.losses["consistency"].item() == pytest.approx(0.3 * expected, rel=1e-5)


def test_a_strong_view_follows_from_the_steps_seed_and_the_sample() -> None:
    method, batch = built(strong=[Noise(), Mask()]), batches()["target"]
    seen = []
    for seed in (3, 4, 3):
        torch.manual_seed(seed)
        torch.rand(seed)  # what else was drawn does not matter
        seen.append(method.strong_view(batch))
    assert seen[0].equal(seen[2]) and not seen[0].equal(seen[1])
    alone = method.strong_view(Batch(batch.inputs[2:3], batch.index[2:3]))
    assert alone.equal(seen[0][2:3])
    with torch.autocast("cpu", torch.bfloat16):
        assert method.strong_view(batch).equal(seen[0])


def test_the_strong_view_leaves_no_trace_in_the_running_statistics() -> None:
    method, plain = built(strong=[Noise(50.0)]), built(strong=[])
    plain.load_state_dict(method.state_dict())
    for some in (method, plain):
        some.train()(batches(), {})
    states = [some.student.network.state_dict() for some in (method, plain)]
    assert all(states[0][name].equal(states[1][name]) for name in states[0] if "running" in name)
    assert not method.average.training


def test_the_weight_follows_its_schedule() -> None:
    method = built(weight=Schedule(start=0.0, end=2.0), threshold=0.0).eval()
    found = []
    for share in (0.0, 0.25, 0.5):
        method.at(share)
        found.append(next(iter(method(batches(), {}))).losses["consistency"].item())
    assert found[0] == 0 and found[2] == pytest.approx(2 * found[1]) and found[1] > 0


def test_thresholds_by_class_as_in_the_paper() -> None:
    """Equations 5–11 written out, with loops, in plain Python."""
    draw = torch.Generator().manual_seed(0)
    for unsure in (0.1, 0.5, 0.9, 1.0):
        certain = torch.randint(0, 4, (200,), generator=draw) % 3
        certain[torch.rand(200, generator=draw) < unsure] = -1
        certain[:50] = -2
        sigma = [sum(1 for c in certain.tolist() if c == k) for k in range(4)]
        never = sum(1 for c in certain.tolist() if c == -1)
        beta = [s / max(*sigma, never) for s in sigma]
        assert class_thresholds(certain, 4, 0.8).tolist() == pytest.approx([0.8 * b / (2 - b) for b in beta])
    assert class_thresholds(torch.full((9,), -1), 2, 0.9).tolist() == [0, 0]


def test_each_label_has_the_threshold_of_its_class() -> None:
    average = torch.log(torch.tensor([[0.7, 0.3], [0.2, 0.8], [0.35, 0.65]]))
    student = torch.log(torch.tensor([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1]]))
    found = consistency(student, average, torch.tensor([0.75, 0.6]))
    assert float(found) == pytest.approx(-(math.log(0.7) + math.log(0.1)) / 3, abs=1e-6)


def test_a_step_keeps_of_whom_the_average_is_certain() -> None:
    method, view = built(thresholds="by_class").train(), WORLD.domain("target").view()
    method.start_epoch(0, view)
    trained = training_rows(view)
    assert 0 < len(trained) < len(view.inputs) and (method.certain[trained] == -1).all()
    assert int((method.certain == -2).sum()) == len(view.inputs) - len(trained)
    rows = trained[:6]
    confidence, labels = method.average(view.inputs[rows]).logits.softmax(1).max(1)
    method.threshold = float(confidence.sort().values[2])  # of two samples of the six it is not certain
    method({"source": batches()["source"], "target": Batch(view.inputs[rows], rows)}, {})
    assert method.certain[rows].tolist() == labels.where(confidence >= method.threshold, -1).tolist()
    assert (method.certain[rows] == -1).sum() == 2
    kept = method.certain.clone()
    method.start_epoch(1, view)
    assert method.certain.equal(kept)


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="'strong' of mean_teacher must be augmentations of single samples"):
        MeanTeacher(strong=[Mixup()])
    with pytest.raises(UsageError, match="The samples of flip must be images"):
        built(strong=[Flip()])
    with pytest.raises(UsageError, match="the task is regression"):
        World(VALUES).built(MeanTeacher())
    assert MeanTeacher().reads() == ("source", "target")
    assert MeanTeacher([Kl()]).reads() == ("target",) and MeanTeacher([Kl()]).requires() == {"teacher"}


def test_killed_with_strong_views_it_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # the disk survives this kill

    def make() -> MeanTeacher:
        return MeanTeacher(strong=[Noise(0.3), Mask(probability=0.2)], threshold=0.5, thresholds="by_class")

    def kill(share: float) -> None:
        if share > 0.4:
            raise KilledError

    training = settings(checkpoint_seconds=1e-9)
    train(WORLD.job(tmp_path / "whole", make, training))
    with pytest.raises(KilledError):
        train(WORLD.job(tmp_path / "broken", make, training), tick=kill)
    train(WORLD.job(tmp_path / "broken", make, training))
    for name in ("weights.safetensors", "history.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes(), name


@pytest.mark.slow
def test_it_helps_on_turned_blobs() -> None:
    alone = [accuracy(SourceOnly(), seed) for seed in range(3)]
    adapted = [accuracy(MeanTeacher(strong=[Noise(0.3)], threshold=0.8), seed) for seed in range(3)]
    assert np.mean(adapted) > np.mean(alone) + 0.03, (adapted, alone)
