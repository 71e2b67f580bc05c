"""Predictions are the same in every batch size, in evaluation mode, and leave no trace."""

from __future__ import annotations

import pytest
import torch
from small_world import WIDTH, network
from torch import nn

from limbeck.networks import Observed
from limbeck.training import observe, predict, represent

INPUTS = torch.randn(11, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch_size", [1, 4, 1024])
def test_logits_and_representation_of_all_samples(batch_size: int) -> None:
    student = Observed(network(3)).train()
    logits, features = predict(student, INPUTS, batch_size), represent(student, INPUTS, batch_size)
    assert logits.shape == (11, 3) and features.shape == (11, 6)
    assert torch.allclose(student.network[-1](features), logits, atol=1e-6)
    student.eval()
    assert torch.allclose(student.network(INPUTS), logits, atol=1e-6)
    assert not logits.requires_grad


def test_chosen_rows_are_those_of_all() -> None:
    student, rows = Observed(network(3)), torch.tensor([9, 0, 3])
    for ask in (predict, represent):
        assert torch.allclose(ask(student, INPUTS, 2, rows), ask(student, INPUTS)[rows], atol=1e-6)
    found = observe(student, INPUTS, torch.tensor([True, False, True]), 2, rows)
    assert found.logits.equal(predict(student, INPUTS, 2, rows))
    assert found.features.equal(represent(student, INPUTS, 2, rows)[[0, 2]])


def test_one_pass_sees_what_two_would() -> None:
    student, shown = Observed(network(3)).train(), torch.arange(11) % 3 == 0
    found = observe(student, INPUTS, shown, batch_size=4)
    assert found.logits.equal(predict(student, INPUTS, 4))
    assert found.features.equal(represent(student, INPUTS, 4)[shown])
    assert student.training


def test_every_layer_is_left_in_its_own_mode() -> None:
    """A frozen BatchNorm in evaluation mode must not begin to drift after the first evaluation."""
    student = Observed(network(3)).train()
    student.network[1].eval()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    predict(student, INPUTS)
    assert student.training and student.network[3].training and not student.network[1].training
    assert all(value.equal(before[name]) for name, value in student.state_dict().items())


def test_modes_are_restored_after_a_failure() -> None:
    student = Observed(network(3)).train()
    with pytest.raises(RuntimeError):
        predict(student, torch.zeros(4, WIDTH + 1))
    assert all(module.training for module in student.modules())


def test_bf16_outputs_come_back_in_fp32() -> None:
    student = Observed(nn.Sequential(nn.Linear(WIDTH, 4), nn.Linear(4, 2)).to(torch.bfloat16))
    assert predict(student, INPUTS.to(torch.bfloat16)).dtype == torch.float32
