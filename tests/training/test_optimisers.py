"""Learning rates in closed form, and what arrives in the optimiser."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from small_world import settings
from torch import nn

from limbeck.training import Training
from limbeck.training._optimisers import make_optimiser, plain_step, rate_factor, set_rate

SHARES = [0.2, 0.35, 0.6, 0.85, 0.999]


@pytest.mark.parametrize("share", SHARES)
def test_schedules_in_closed_form(share: float) -> None:
    after = (share - 0.2) / 0.8
    expected = {"cosine": (1 + math.cos(math.pi * after)) / 2, "linear": 1 - after, "constant": 1.0}
    for schedule, factor in expected.items():
        assert rate_factor(settings(schedule=schedule, warmup=0.2), share) == pytest.approx(factor)


def test_the_warm_up_rises_linearly_from_almost_nothing_to_one() -> None:
    made = settings(schedule="constant", warmup=0.2)
    rates = [rate_factor(made, share) for share in (0.0, 0.05, 0.1, 0.15, 0.2)]
    assert 0 < rates[0] < 0.01
    steps = [b - a for a, b in itertools.pairwise(rates)]
    assert steps == pytest.approx([steps[0]] * 4)
    assert rates[-1] == 1.0


@pytest.mark.parametrize("warmup", [0.1, 0.3])
def test_one_cycle_is_that_of_torch(warmup: float) -> None:
    steps = 200
    optimiser = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    # Its two halves end one step before the share of the steps that they are given; ours end at the share itself.
    whole = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=steps + 1, pct_start=(warmup * steps + 1) / (steps + 1)
    )
    made = settings(schedule="one_cycle", warmup=warmup)
    for step in range(steps):
        assert rate_factor(made, step / steps) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        whole.step()


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "one_cycle"])
def test_without_a_warm_up_it_begins_at_the_full_rate(schedule) -> None:
    assert rate_factor(settings(schedule=schedule, warmup=0.0), 0.0) == 1.0


def test_the_rate_is_set_with_the_scale_of_each_group() -> None:
    made = settings(schedule="linear", warmup=0.0, learning_rate=0.1)
    layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    groups = [
        {"params": list(layer.parameters()), "scale": scale} for layer, scale in zip(layers, (1, 0.5), strict=True)
    ]
    optimiser = make_optimiser(groups, made)
    assert set_rate(optimiser, made, 0.25) == pytest.approx(0.075)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.075, 0.0375])


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "rmsprop"])
def test_each_optimiser_takes_the_settings_that_it_has(name) -> None:
    made = Training(optimiser=name, learning_rate=0.03, weight_decay=0.02, momentum=0.7)
    optimiser = make_optimiser([{"params": [nn.Parameter(torch.ones(3))], "scale": 1.0}], made)
    assert type(optimiser).__name__.lower() == name
    (group,) = optimiser.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.03, 0.02)
    assert group.get("momentum", 0.7) == 0.7
    assert group.get("nesterov", True) is True


def test_plain_gradient_descent() -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    made = Training(optimiser="sgd", learning_rate=0.1, weight_decay=0.0, momentum=0.0)
    optimiser = make_optimiser([{"params": [weight], "scale": 1.0}], made)
    weight.square().sum().backward()
    optimiser.step()
    assert weight.item() == pytest.approx(2.0 - 0.1 * 4.0)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "rmsprop"])
def test_a_plain_step_is_the_optimisers_own_without_its_record(name, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit-equal over three steps, momenta included; nothing is recorded around it, and gradients are on after it."""
    made, draw = Training(optimiser=name, learning_rate=0.03, weight_decay=0.02), torch.Generator().manual_seed(0)
    first, recorded = torch.randn(5, generator=draw), []
    moved = []
    for plain in (False, True):
        weight = nn.Parameter(first.clone())
        optimiser = make_optimiser([{"params": [weight], "scale": 1.0}], made)
        step = plain_step(optimiser) if plain else optimiser.step
        if plain:
            monkeypatch.setattr(torch.autograd.profiler, "record_function", recorded.append)
        for _ in range(3):
            weight.grad = None
            (weight**3).sum().backward()
            step()
        moved.append(weight.detach())
    assert not moved[0].equal(first)
    assert moved[0].equal(moved[1])
    assert not recorded
    assert torch.is_grad_enabled()
