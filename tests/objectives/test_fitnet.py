"""Hints against the formula, and a regressor that trains."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limbeck.core import Batch, Knowledge, Outputs, Spec
from limbeck.objectives.fitnet import Fitnet

STUDENT, TEACHER = torch.randn(6, 2, 2), torch.randn(6, 3)
BATCH = Batch(torch.zeros(6, 1), torch.arange(6))


def made() -> Fitnet:
    objective = Fitnet("conv", "code")
    objective.build(Spec(2, {"conv": (2, 2)}), Spec(5, {"code": (3,)}))
    return objective


def test_is_half_the_squared_distance_behind_the_regressor() -> None:
    objective = made()
    weight, bias = (parameter.detach().double().numpy() for parameter in objective.parameters())
    difference = TEACHER.double().numpy() - (STUDENT.flatten(1).double().numpy() @ weight.T + bias)
    found = objective(Outputs(torch.zeros(6, 2), {"conv": STUDENT}), Knowledge(None, {"code": TEACHER}), BATCH)
    assert found.item() == pytest.approx(0.5 * np.mean(np.sum(difference**2, 1)), rel=1e-5)


def test_the_regressor_finds_a_linear_teacher_and_the_teacher_gets_no_gradient() -> None:
    torch.manual_seed(0)
    objective = made()
    outputs = Outputs(torch.zeros(6, 2), {"conv": STUDENT})
    teacher = (STUDENT.flatten(1) @ torch.randn(4, 3)).requires_grad_()
    optimiser = torch.optim.Adam(objective.parameters(), 0.05)
    for _ in range(1500):
        optimiser.zero_grad()
        loss = objective(outputs, Knowledge(None, {"code": teacher}), BATCH)
        loss.backward()
        optimiser.step()
    assert loss.item() < 1e-3
    assert teacher.grad is None
