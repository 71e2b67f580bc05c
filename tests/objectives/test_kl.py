"""The distillation loss against torch.distributions, and the faults that others have in theirs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from limbeck.core import Batch, Knowledge, Outputs, Spec, UsageError
from limbeck.objectives import Schedule
from limbeck.objectives.kl import Kl, kl


def logits(n: int = 6, classes: int = 4, seed: int = 0) -> Tensor:
    return 3 * torch.randn(n, classes, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0, 10.0])
def test_is_the_kl_of_the_teacher_from_the_student_times_the_square_of_the_temperature(temperature: float) -> None:
    student, teacher = logits(), logits(seed=1)
    p, q = Categorical(logits=teacher / temperature), Categorical(logits=student / temperature)
    expected = temperature**2 * kl_divergence(p, q).mean()
    swapped = temperature**2 * kl_divergence(q, p).mean()
    assert kl(student, teacher, temperature).item() == pytest.approx(expected.item(), rel=1e-5)
    assert abs(expected - swapped) > 0.01 * expected  # the other direction would have been noticed


def test_no_softmax_twice() -> None:
    """Scores that are already probabilities lie so close together that the loss would be tiny."""
    student, teacher = torch.tensor([[0.0, 20.0]]), torch.tensor([[20.0, 0.0]])
    assert kl(student, teacher, 1.0).item() == pytest.approx(20.0, rel=1e-4)


def test_the_mean_is_over_the_batch_only() -> None:
    student, teacher = logits(), logits(seed=1)
    assert kl(student.repeat(5, 1), teacher.repeat(5, 1)).item() == pytest.approx(kl(student, teacher).item(), rel=1e-5)
    # Classes that nobody believes in change nothing; a mean over classes would halve the loss.
    nothing = torch.full((6, 4), -1e4)
    more = kl(torch.cat([student, nothing], 1), torch.cat([teacher, nothing], 1))
    assert more.item() == pytest.approx(kl(student, teacher).item(), rel=1e-5)


def test_the_gradient_keeps_its_size_as_the_temperature_grows() -> None:
    norms = []
    for temperature in (1.0, 4.0, 10.0, 100.0):
        student = logits().requires_grad_()
        kl(student, logits(seed=1), temperature).backward()
        norms.append(student.grad.norm().item())
    assert max(norms) / min(norms) < 4
    assert norms[-1] == pytest.approx(norms[-2], rel=0.3)  # its limit: 1/classes · the difference of centred logits


def test_the_limit_of_high_temperatures_is_the_squared_difference_of_centred_logits() -> None:
    student, teacher = logits(), logits(seed=1)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    expected = centred.square().mean(1).mean() / 2  # Hinton et al. 2015, eq. 4, integrated
    found = kl(student.double() * 1e-2, teacher.double() * 1e-2, 10.0) * 1e4
    assert found.item() == pytest.approx(expected.item(), rel=0.02)


def test_equal_scores_give_zero_and_no_gradient() -> None:
    student = logits().requires_grad_()
    loss = kl(student, student.detach().clone())
    loss.backward()
    assert loss.item() == 0
    assert student.grad.abs().max() < 1e-6


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = logits().requires_grad_(), logits(seed=1).requires_grad_()
    kl(student, teacher).backward()
    assert teacher.grad is None


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_finite_in_bf16_and_for_huge_scores(scale: float) -> None:
    """log(softmax) is −inf there, and −inf · 0 is NaN."""
    student, teacher = (logits(seed=s).to(torch.bfloat16) * scale for s in (0, 1))
    student = student.requires_grad_()
    loss = kl(student, teacher)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite() and student.grad.isfinite().all()


def test_two_classes() -> None:
    student, teacher = torch.tensor([[100.0, -100.0]]), torch.tensor([[-100.0, 100.0]])
    assert kl(student, teacher, 1.0).item() == pytest.approx(200.0)


def test_the_temperature_reaches_the_loss_and_follows_its_schedule() -> None:
    outputs, knowledge = Outputs(logits()), Knowledge(logits(seed=1))
    batch = Batch(torch.zeros(6, 1), torch.arange(6))
    for temperature in (1.0, 8.0):
        assert Kl(temperature)(outputs, knowledge, batch).equal(kl(logits(), logits(seed=1), temperature))
    scheduled = Kl(Schedule(start=8.0, end=2.0))
    assert scheduled(outputs, knowledge, batch).equal(kl(logits(), logits(seed=1), 8.0))
    scheduled.at(0.5)
    assert scheduled(outputs, knowledge, batch).equal(kl(logits(), logits(seed=1), 5.0))


@pytest.mark.parametrize("temperature", [0, -1.0, Schedule(start=4.0, end=0.0)])
def test_a_temperature_of_zero_is_refused(temperature) -> None:
    with pytest.raises(UsageError, match="'temperature' of kl must be > 0"):
        Kl(temperature)


def test_other_classes_are_refused_before_training() -> None:
    with pytest.raises(UsageError, match=r"student has 4 outputs and the teacher 5"):
        Kl().build(Spec(4), Spec(5))
    Kl().build(Spec(4), Spec(4))
