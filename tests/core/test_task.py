"""What is predicted, and its unit."""

from __future__ import annotations

import json

import pytest
import torch

from limbeck.core import Task

CLASSES = Task("classification", ("no", "yes", "maybe"))
VALUES = Task("regression", offset=3.0, scale=0.5)


def test_outputs_are_classes_or_one_value() -> None:
    assert CLASSES.outputs == 3 and CLASSES.is_classification
    assert VALUES.outputs == 1 and not VALUES.is_classification


def test_values_come_back_in_the_users_unit() -> None:
    assert VALUES.restore(torch.tensor([[0.0], [2.0], [-4.0]])).tolist() == [3.0, 4.0, 1.0]
    assert VALUES.restore(torch.zeros(2, 1, dtype=torch.bfloat16)).dtype == torch.float32
    scores = torch.randn(2, 3)
    assert CLASSES.restore(scores) is scores


@pytest.mark.parametrize("task", [CLASSES, VALUES], ids=["classes", "values"])
def test_it_survives_json(task: Task) -> None:
    assert Task.from_state(json.loads(json.dumps(task.state()))) == task
