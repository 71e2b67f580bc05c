"""The loss of regression against scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import mean_squared_error as reference

from limbeck.core import Batch, Knowledge, Outputs, Spec, UsageError
from limbeck.objectives.mean_squared_error import MeanSquaredError, mean_squared_error

draw = torch.Generator().manual_seed(0)
STUDENT, TEACHER = torch.randn(7, 3, generator=draw), torch.randn(7, 3, generator=draw)


def test_is_the_mean_over_batch_and_outputs() -> None:
    assert mean_squared_error(STUDENT, TEACHER).item() == pytest.approx(reference(TEACHER, STUDENT), rel=1e-5)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    mean_squared_error(student, teacher).backward()
    assert teacher.grad is None
    assert torch.allclose(student.grad, 2 * (STUDENT - TEACHER) / 21)


def test_reads_labels_or_the_teacher() -> None:
    batch = Batch(torch.zeros(7, 1), torch.arange(7), TEACHER[:, 0])
    outputs = Outputs(STUDENT[:, :1])
    to_labels, to_teacher = MeanSquaredError(to="labels"), MeanSquaredError(to="teacher")
    expected = reference(TEACHER[:, 0], STUDENT[:, 0])
    assert to_labels(outputs, Knowledge(), batch).item() == pytest.approx(expected, rel=1e-5)
    assert to_teacher(outputs, Knowledge(TEACHER[:, :1]), batch).item() == pytest.approx(expected, rel=1e-5)
    assert (to_labels.samples, to_labels.needs) == ("source", {"labels"})
    assert (to_teacher.samples, to_teacher.needs) == ("target", {"logits"})


def test_class_labels_are_refused_instead_of_broadcast() -> None:
    with pytest.raises(UsageError, match="student has 3 outputs"):
        MeanSquaredError(to="labels").build(Spec(3), Spec(0))
    with pytest.raises(UsageError, match="student has 3 and the teacher 2"):
        MeanSquaredError(to="teacher").build(Spec(3), Spec(2))
