"""Who learns what, in which direction: the discriminator to tell the domains apart, the student to prevent it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, UsageError
from limbeck.objectives import Schedule
from limbeck.objectives._domains import domain_loss
from limbeck.objectives.adversarial import Adversarial

BATCH = Batch(torch.zeros(96, 1), torch.arange(96), sources=32)


def made(**settings) -> Adversarial:
    torch.manual_seed(0)
    objective = Adversarial(hidden=32, **settings)
    objective.build(Spec(2, {FEATURES: (2,)}), Spec(0))
    return objective


def gaussians() -> Tensor:
    """32 source points, and 64 target points two standard deviations away."""
    points = torch.randn(96, 2, generator=torch.Generator().manual_seed(1))
    points[32:] += 2.0
    return points


def loss(objective: Adversarial, features: Tensor) -> Tensor:
    return objective(Outputs(features, {FEATURES: features}, 32), Knowledge(), BATCH)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_student_gets_the_gradient_reversed_and_scaled_the_discriminator_in_full(strength: float) -> None:
    objective, features = made(strength=strength), gaussians().requires_grad_()
    plain = domain_loss(*objective.discriminator(features).split([32, 64]))
    wanted = torch.autograd.grad(plain, [features, *objective.parameters()])
    found = torch.autograd.grad(loss(objective, features), [features, *objective.parameters()])
    assert torch.allclose(found[0], -strength * wanted[0], atol=1e-8)
    for own, expected in zip(found[1:], wanted[1:], strict=True):
        assert torch.allclose(own, expected, atol=1e-7)
        assert own.abs().max() > 0  # a softmax over one unit would give exactly 0


def trained(objective: Adversarial, points: Tensor, shift: nn.Parameter | None = None, steps: int = 60) -> float:
    """The discriminator's accuracy after steps in which a student that moves the target, if any, learns too."""
    shift = shift if shift is not None else nn.Parameter(torch.zeros(2), requires_grad=False)
    learning = [parameter for parameter in (*objective.parameters(), shift) if parameter.requires_grad]
    optimiser = torch.optim.Adam(learning, 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(objective, torch.cat([points[:32], points[32:] + shift])).backward()
        optimiser.step()
    return objective.discriminator.accuracy.item()


def test_the_discriminator_learns_and_a_student_makes_the_domains_less_separable() -> None:
    points, objective, shift = gaussians(), made(strength=1.0), nn.Parameter(torch.zeros(2))
    apart = trained(objective, points)
    trained(objective, points, shift, steps=250)
    moved = torch.cat([points[:32], points[32:] + shift.detach()])
    assert apart > 0.85
    assert trained(made(), moved) < apart - 0.1
    assert (moved[:32].mean(0) - moved[32:].mean(0)).norm() < 0.5 * (points[:32].mean(0) - points[32:].mean(0)).norm()


def test_the_strength_follows_the_ramp_from_zero() -> None:
    objective = made()
    assert objective.current == 1.0  # outside of a run
    for progress in (0.0, 0.1, 0.5):
        objective.at(progress)
        assert objective.current == pytest.approx(2 / (1 + math.exp(-10 * progress)) - 1, abs=1e-3)
    for wrong in (-1.0, Schedule(start=1.0, end=-1.0)):
        with pytest.raises(UsageError, match="'strength' of adversarial must be ≥ 0"):
            Adversarial(strength=wrong)
