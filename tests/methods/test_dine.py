"""DINE: smoothed answers, the memory's closed form, mixtures, and that nothing but the top answers is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World, network, settings
from torch import Tensor

from limbeck.core import Batch, Domain, Knowledge, Spec, UsageError
from limbeck.knowledge import Store
from limbeck.methods import Method
from limbeck.methods.dine import Dine, smooth_top
from limbeck.methods.distill import Distill
from limbeck.networks import Observed
from limbeck.objectives.kl import Kl
from limbeck.training import predict, train

WORLD = World()
VIEW = WORLD.domain("target").view()
ROWS = torch.arange(2, 12)


def built(**more) -> Dine:
    torch.manual_seed(0)
    method, _ = WORLD.built(Dine(**more))
    assert isinstance(method, Dine)
    return method


@pytest.mark.parametrize("top", [1, 2, 5, 6])
def test_smoothed_labels_keep_the_top_and_sum_to_one(top: int) -> None:
    p = torch.randn(20, 6).mul(2).softmax(1)
    found = smooth_top(p, top)
    assert torch.allclose(found.sum(1), torch.ones(20), atol=1e-6)
    for row, smoothed in zip(p.double().numpy(), found.double().numpy(), strict=True):
        largest = np.argsort(-row)[:top]
        wanted = np.full(6, (1 - row[largest].sum()) / max(6 - top, 1))
        wanted[largest] = row[largest]
        assert smoothed == pytest.approx(wanted, abs=1e-6)


def test_of_two_classes_the_answer_stays_as_it_is() -> None:
    p = torch.rand(9, 1)
    p = torch.cat([p, 1 - p], 1)
    assert torch.allclose(smooth_top(p, 1), p, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_the_memory_after_n_epochs_has_a_closed_form(momentum: float) -> None:
    method, said = built(momentum=momentum), Knowledge(torch.randn(10, 3))
    box = smooth_top(said.scores().softmax(1), 1).double()
    answers, batch = [], Batch(VIEW.inputs[ROWS], ROWS)
    for epoch in range(5):
        method.start_epoch(epoch, VIEW)
        if epoch:
            answers.append(predict(method.student, VIEW.inputs[ROWS]).softmax(1).double())
        wanted = momentum**epoch * box
        for age, answer in enumerate(reversed(answers)):
            wanted = wanted + (1 - momentum) * momentum**age * answer
        found = method.wanted(said, batch)
        assert torch.allclose(found.double(), wanted, atol=1e-6), epoch
        assert torch.allclose(found.sum(1), torch.ones(10), atol=1e-5)
        with torch.no_grad():
            for parameter in method.student.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))


def test_the_losses_of_a_step_follow_the_paper() -> None:
    method, said = built(mixing=0.5, top=2).eval(), Knowledge(torch.randn(10, 3))
    method.start_epoch(0, VIEW)
    batch = Batch(VIEW.inputs[ROWS], ROWS)
    torch.manual_seed(5)
    (update,) = method({"target": batch}, {"target": said})
    p = method.student(batch.inputs).logits.softmax(1).double().detach()
    wanted = smooth_top(said.scores().softmax(1), 2).double()
    mean, kl = p.mean(0), (wanted * (wanted / p).log()).sum(1).mean()
    assert update.losses["black_box"].item() == pytest.approx(kl.item(), rel=1e-4)
    information = (mean * mean.log()).sum() - (p * p.log()).sum(1).mean()
    assert update.losses["information"].item() == pytest.approx(information.item(), abs=1e-5)
    assert update.losses.keys() == {"black_box", "information", "mixed"}
    torch.manual_seed(5)
    (again,) = method({"target": batch}, {"target": said})
    assert again.losses["mixed"].equal(update.losses["mixed"]), "the loop's seed decides the mixture"


def test_the_mixture_of_answers_is_wanted_of_the_mixture_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limbeck.methods.dine.beta", lambda uniform, alpha: torch.full_like(uniform, 0.25))
    method, said = built().eval(), Knowledge(torch.randn(10, 3))
    x = VIEW.inputs[ROWS]
    (update,) = method({"target": Batch(x, ROWS)}, {"target": said})
    p = method.student(x).logits.softmax(1).double().detach().numpy()
    found = method.student(0.25 * x + 0.75 * x[[9, *range(9)]]).logits.log_softmax(1).double().detach().numpy()
    wanted = 0.25 * p + 0.75 * p[[9, *range(9)]]
    assert update.losses["mixed"].item() == pytest.approx(-(wanted * found).sum(1).mean(), rel=1e-5)


def test_mixtures_leave_no_trace_in_the_statistics() -> None:
    plain, mixing = built(mixing=0.0), built(mixing=1.0)
    for method in (plain, mixing):
        method.train()
        method({"target": Batch(VIEW.inputs[ROWS], ROWS)}, {"target": Knowledge(torch.randn(10, 3))})
    assert plain.student.network[1].running_mean.equal(mixing.student.network[1].running_mean)
    assert plain.student.network[1].num_batches_tracked == mixing.student.network[1].num_batches_tracked


def test_in_the_last_share_of_the_run_it_learns_without_the_black_box() -> None:
    method, batches = built(finetune=0.25), {"target": Batch(VIEW.inputs[ROWS], ROWS)}
    for progress, names in ((0.74, {"black_box", "mixed", "information"}), (0.75, {"information"})):
        method.at(progress)
        (update,) = method(batches, {"target": Knowledge(torch.randn(10, 3))})
        assert update.losses.keys() == names
    method = built(finetune=0.0)
    method.at(0.999)
    assert not method.tuning


class Sealed(Knowledge):
    """The answers of a black box: any access beyond its soft labels raises."""

    def feature(self, layer: str = "features") -> Tensor:
        raise AssertionError("the black box has no layers")

    def __getattribute__(self, name: str):
        if name == "features":
            raise AssertionError("the black box has no layers")
        return super().__getattribute__(name)


@pytest.mark.parametrize("top", [1, 2])
def test_nothing_but_the_top_answers_is_used(top: int) -> None:
    """Every other number may be anything that leaves the top probabilities as they are."""
    torch.manual_seed(1)
    p = torch.tensor([0.6, 0.25, 0.1, 0.05]).repeat(10, 1)
    other = p.clone()
    other[:, top:] = p[:, top:].flip(1)
    student, method = Observed(network(4)), Dine(top=top)
    task = type(CLASSES)("classification", ("a", "b", "c", "d"))
    method.build(student, task, student.spec((WIDTH,)), Spec(4))
    method.eval()
    found = []
    for answers in (p, other):
        said = object.__new__(Sealed)
        object.__setattr__(said, "logits", answers.log())
        torch.manual_seed(0)
        found.append(method({"target": Batch(VIEW.inputs[ROWS], ROWS)}, {"target": said})[0].losses)
    for name in found[0]:
        assert found[0][name].item() == pytest.approx(found[1][name].item(), rel=1e-5), name
    assert method.crossing(Spec(4)) == {"top probabilities": top, "their classes": top}


def test_an_answer_that_is_sure_is_learnt_without_nan() -> None:
    method = built(top=3)
    said = Knowledge(torch.tensor([[200.0, 0.0, -200.0]]).repeat(10, 1))
    (update,) = method({"target": Batch(VIEW.inputs[ROWS], ROWS)}, {"target": said})
    assert all(loss.isfinite() for loss in update.losses.values())


def test_what_it_cannot_learn_from_is_refused() -> None:
    with pytest.raises(UsageError, match=r"The 'top' of dine must be at most 3, the classes of the teacher. Got 4"):
        built(top=4)
    with pytest.raises(UsageError, match="the task is regression"):
        World(VALUES).built(Dine())
    student = Observed(network(3))
    with pytest.raises(UsageError, match="student has 3 outputs and the teacher 4"):
        Dine().build(student, CLASSES, student.spec((WIDTH,)), Spec(4))


def test_it_needs_a_teacher_of_the_target_alone() -> None:
    assert Dine().requires() == {"teacher"} and Dine().reads() == ("target",)
    assert Dine().knowledge_streams() == {"target"} and not Dine().knowledge_layers() and Dine.source_free


def test_it_is_better_than_plain_distillation_of_the_same_black_box(tmp_path: Path) -> None:
    """Three clusters; the black box draws its borders through them."""
    truth = torch.arange(600) % 3
    angle, turned = truth * 2 * torch.pi / 3, torch.arange(3) * 2 * torch.pi / 3 + 0.95
    inputs = 0.4 * torch.randn(600, WIDTH, generator=torch.Generator().manual_seed(0))
    inputs[:, :2] += 2 * torch.stack([angle.cos(), angle.sin()], 1)
    said = 2 * (inputs[:, :1] * turned.cos() + inputs[:, 1:2] * turned.sin())
    order = np.arange(600)
    splits = {"labelled": order[:0], "train": order[:400], "selection": order[400:500], "test": order[500:]}
    target = Domain("target", "target", inputs, np.zeros(600, dtype=np.int64), CLASSES, splits).view()

    def accuracy(name: str, method: Method) -> float:
        job = WORLD.job(tmp_path / name, lambda: method, settings(epochs=12, batch_size=16, learning_rate=5e-3))
        stores = {"target": Store(Path(), {"logits": said})}
        train(replace(job, domains=WORLD.views() | {"target": target}, stores=stores))
        return (predict(method.student, inputs).argmax(1) == truth).float().mean().item()

    box = (said.argmax(1) == truth).float().mean().item()
    plain, adapted = accuracy("distill", Distill([Kl(1.0)])), accuracy("dine", Dine())
    assert box < 0.75 and plain < 0.95 and adapted > plain + 0.04, (box, plain, adapted)
