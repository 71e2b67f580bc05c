"""Fine-tuning: what is frozen stays to the bit, rates fall layer by layer, the start pulls back."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from small_world import WIDTH, World, network, settings
from torch import Tensor, nn

from limbeck.core import Batch, Spec, Task
from limbeck.methods.fine_tune import FineTune
from limbeck.networks import Observed
from limbeck.training import train
from limbeck.training._optimisers import make_optimiser, set_rate

WORLD = World()


@pytest.mark.parametrize("freeze", [0.5, ["0", "1"]])
def test_frozen_layers_and_their_statistics_stay_and_the_others_move(freeze, tmp_path: Path) -> None:
    """Layers called frozen drift through BatchNorm where only gradients are stopped."""
    method = FineTune(freeze)
    job = WORLD.job(tmp_path, lambda: method, settings(weight_decay=0.1))
    before = copy.deepcopy(method.student.network.state_dict())
    train(job)
    after = method.student.network.state_dict()
    for name, value in before.items():
        frozen = name.startswith(("0.", "1."))
        assert value.equal(after[name]) == frozen, name
    assert not method.student.network[1].training and method.student.network[3].training


def test_without_freezing_statistics_move(tmp_path: Path) -> None:
    method = FineTune()
    job = WORLD.job(tmp_path, lambda: method)
    before = method.student.network[1].running_mean.clone()
    train(job)
    assert not before.equal(method.student.network[1].running_mean)


class Rooted(nn.Module):
    """Has a parameter of its own above its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1))
        self.body = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs + self.token))


def built(made: nn.Module, **changes) -> FineTune:
    method = FineTune(**changes)
    method.build(Observed(made), Task("classification", ("a", "b", "c")), Spec(3), Spec(0))
    return method


def test_freezing_a_layer_does_not_freeze_what_lies_inside_it() -> None:
    method = built(Rooted(), freeze=0.25)
    assert method.frozen == [""]
    method.train()
    assert method.student.network.body[1].training
    assert not method.student.network.token.requires_grad and method.student.network.head.weight.requires_grad


def test_rates_fall_from_the_head_down_and_arrive_in_the_optimiser() -> None:
    method = built(network(3), layer_decay=0.5, freeze=["0"])
    groups = method.parameter_groups()["student"]
    assert [group["scale"] for group in groups] == [1.0, 0.5, 0.25]
    layers = method.student.network
    for group, layer in zip(groups, (layers[6], layers[4], layers[1]), strict=True):
        assert [id(p) for p in group["params"]] == [id(p) for p in layer.parameters()]
    made = settings(optimiser="sgd", learning_rate=0.1, momentum=0.0, weight_decay=0.0, schedule="constant", warmup=0.0)
    optimiser = make_optimiser(groups, made)
    set_rate(optimiser, made, 0.5)
    before = copy.deepcopy(method.student.state_dict())
    for parameter in method.student.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    after = method.student.state_dict()
    moves = {name: (before[f"network.{name}"] - after[f"network.{name}"]).mean().item() for name in WEIGHTS}
    assert [moves[name] for name in WEIGHTS] == pytest.approx([0.0, 0.025, 0.05, 0.1])


WEIGHTS = ("0.bias", "1.bias", "4.bias", "6.bias")


def test_the_start_pulls_back_by_half_the_squared_distance() -> None:
    method = built(network(3), l2_sp=0.3, freeze=["0"])
    batch = {"labelled": Batch(torch.randn(6, WIDTH), torch.arange(6), torch.arange(6) % 3)}
    assert method.updates(batch, {})[0].losses["l2_sp"].item() == 0
    with torch.no_grad():
        method.student.network[6].bias += torch.tensor([1.0, 2.0, 3.0])
        method.student.network[1].weight += 0.5
    losses = method.updates(batch, {})[0].losses
    assert losses["l2_sp"].item() == pytest.approx(0.15 * (14 + 8 * 0.25), rel=1e-5)
    method.student.zero_grad()
    losses["l2_sp"].backward()
    assert method.student.network[6].bias.grad.tolist() == pytest.approx([0.3, 0.6, 0.9])
    assert "l2_sp" not in built(network(3)).updates(batch, {})[0].losses


def test_a_resumed_training_is_pulled_to_the_first_start() -> None:
    method, again = built(network(3), l2_sp=1.0), built(network(3), l2_sp=1.0)
    again.load_state_dict(method.state_dict())
    assert again._moved().item() == 0
    assert all(not parameter.requires_grad for parameter in again.start)
    assert sum(len(group["params"]) for group in again.parameter_groups()["student"]) == 8


def test_tied_weights_are_moved_once() -> None:
    made = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3))
    made[2].weight = made[0].weight
    method = built(made, layer_decay=0.5)
    groups = method.parameter_groups()["student"]
    moved = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(moved) == len(set(moved)) == len(list(made.parameters()))
