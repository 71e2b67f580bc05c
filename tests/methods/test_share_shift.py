"""Scores are moved by a constant to the shares that are asked for, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World, network
from torch import Tensor

from limbeck.core import Spec, UsageError
from limbeck.methods.share_shift import ShareShift, shift_to
from limbeck.networks import Observed
from limbeck.training import predict

VIEWS = World().views()


def fitted(**settings) -> tuple[Observed, Observed]:
    """The student as it was, and as it is evaluated after the fit on labels-free views."""
    torch.manual_seed(0)
    student = Observed(network(3))
    method = ShareShift(**settings)
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    unread = replace(VIEWS["source"], inputs=torch.full_like(VIEWS["source"].inputs, float("nan")))
    method.fit(unread, replace(VIEWS["target"], opened={}))
    assert method.on_source is student  # the shift is the target's
    return student, method.evaluated


def trained() -> Tensor:
    view = VIEWS["target"]
    return view.inputs[torch.cat([view.splits["labelled"], view.splits["train"]])]


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_shift_reaches_the_shares(classes: int) -> None:
    draw = np.random.default_rng(classes)
    scores = torch.from_numpy(6 * draw.normal(size=(200, classes)) + 5 * draw.normal(size=classes))
    shares = torch.from_numpy(draw.dirichlet(np.full(classes, 2.0)))
    found = shift_to(scores, shares)
    assert torch.allclose((scores + found).softmax(1).mean(0), shares, atol=1e-5)
    assert abs(float(found.sum())) < 1e-9


def test_it_is_where_sinkhorn_ends() -> None:
    """Rows and columns of exp(scores) scaled in turns, as in Cuturi 2013, algorithm 1."""
    scores, shares = torch.randn(50, 4, dtype=torch.float64), torch.tensor([0.4, 0.3, 0.2, 0.1]).double()
    kernel, column = scores.exp(), torch.ones(4, dtype=torch.float64)
    for _ in range(500):
        row = (1 / 50) / (kernel @ column)
        column = shares / (kernel.T @ row)
    expected = column.log() - column.log().mean()
    assert torch.allclose(shift_to(scores, shares), expected, atol=1e-3)


@pytest.mark.parametrize(("shares", "expected"), [("even", [1 / 3] * 3), ("source", [12 / 34, 11 / 34, 11 / 34])])
def test_at_full_strength_the_target_has_the_shares(shares: str, expected: list[float]) -> None:
    _, moved = fitted(shares=shares, strength=1.0)
    assert torch.allclose(predict(moved, trained()).softmax(1).mean(0), torch.tensor(expected), atol=1e-4)


def test_strength_is_the_part_of_the_way_and_the_same_for_every_sample() -> None:
    student, half = fitted(strength=0.5)
    _, whole = fitted(strength=1.0)
    inputs = torch.randn(20, WIDTH)
    before = predict(student, inputs)
    ways = [predict(moved, inputs) - before for moved in (half, whole)]
    assert torch.allclose(2 * ways[0], ways[1], atol=1e-5) and ways[1].abs().max() > 0.01
    assert torch.allclose(ways[1], ways[1][:1].expand(20, 3), atol=1e-5)


def test_what_it_reads_and_what_it_is_not_for() -> None:
    assert ShareShift().reads() == ("target",) and ShareShift("source").reads() == ("source", "target")
    student = Observed(network(1))
    with pytest.raises(UsageError, match="moves the scores of classes, and the task is regression"):
        ShareShift().build(student, VALUES, student.spec((WIDTH,)), Spec(0))


def test_a_shifted_threshold_is_found_again() -> None:
    """Even classes whose scores all lie 3 too high for one of them: the shift takes that back."""
    truth = torch.arange(400) % 2
    scores = torch.zeros(400, 2, dtype=torch.float64)
    scores[:, 1] = 4 * truth - 2 + 3 + torch.randn(400, generator=torch.Generator().manual_seed(0)).double()
    found = shift_to(scores, torch.tensor([0.5, 0.5]).double())
    assert abs(float(found[1] - found[0]) + 3) < 0.3
    before, after = ((s.argmax(1) == truth).double().mean() for s in (scores, scores + found))
    assert before < 0.75 < 0.95 < after
