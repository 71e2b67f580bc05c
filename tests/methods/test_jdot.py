"""JDOT: its cost against NumPy, that rounds do not raise its objective, and labels that follow a known shift."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_world import VALUES
from torch import nn

from limbeck.core import Spec, Task
from limbeck.methods._shallow import Linear
from limbeck.methods.jdot import Jdot
from limbeck.networks import INPUTS, Observed

TWO = Task("classification", ("a", "b"))


def built(task: Task, **settings: float) -> Jdot:
    student = Observed(nn.Linear(1, task.outputs), [INPUTS])
    method = Jdot(**settings)
    method.build(student, task, student.spec((1,)), Spec(0))
    return method


def test_the_cost_of_a_label() -> None:
    y = np.array([[0.5], [-1.0], [2.0]])
    model = Linear(torch.tensor([[1.0], [-1.0]]).double(), torch.tensor([0.0, 0.5]).double())
    scores = np.hstack([y, 0.5 - y])
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    found = built(TWO)._losses(model, torch.tensor([1, 0]), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, -np.log(p[:, [1, 0]].T))
    values = Linear(torch.tensor([[2.0]]).double(), torch.tensor([1.0]).double())
    found = built(VALUES)._losses(values, torch.tensor([3.0, 0.0]), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, (np.array([[3.0], [0.0]]) - (2 * y[:, 0] + 1)) ** 2)


def test_a_plan_brings_its_labels_in_its_shares() -> None:
    plan = torch.tensor([[0.25, 0.0], [0.25, 0.125], [0.0, 0.375]]).double()
    y = torch.tensor([[0.0], [1.0]]).double()
    rows, classes, weights = built(TWO)._brought(plan, torch.tensor([0, 1, 1]), y)
    found = sorted(zip(rows[:, 0].tolist(), classes.tolist(), weights.tolist(), strict=True))
    assert found == [(0.0, 0, 0.5), (0.0, 1, 0.5), (1.0, 1, 1.0)]
    _, means, weights = built(VALUES)._brought(plan, torch.tensor([0.0, 2.0, 4.0]), y)
    torch.testing.assert_close(means, torch.tensor([1.0, 3.5]).double())
    torch.testing.assert_close(weights, torch.ones(2).double())


@pytest.mark.parametrize("task", [TWO, VALUES], ids=["classes", "values"])
def test_labels_follow_a_shifted_line(task: Task) -> None:
    x = torch.linspace(-3, 3, 41).double()[:, None]
    labels = (x[:, 0] > 0.5).long() if task is TWO else x[:, 0] * 2
    method = built(task, feature_weight=10.0, inverse_penalty=100.0)
    found = method.adapt(x, labels, x + 0.4)
    model = method.linear(found.points, found.labels, found.weights)
    said, plain = (m(x + 0.4) for m in (model, method.linear(x, labels)))
    if task is TWO:
        assert (said.argmax(1) != labels).sum() <= 1 < (plain.argmax(1) != labels).sum()
    else:
        assert (said[:, 0] - labels).abs().mean() < 0.5 * (plain[:, 0] - labels).abs().mean()
