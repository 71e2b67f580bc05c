"""Class confusion against NumPy and its closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from limbeck.objectives.mcc import mcc

LOGITS = 4 * torch.randn(9, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_is_the_formula_of_the_paper(temperature: float) -> None:
    p = softmax(LOGITS.double().numpy() / temperature, axis=1)
    w = 1 + np.exp(-entropy(p, axis=1))
    w = len(p) * w / w.sum()
    c = np.einsum("i,ij,ik->jk", w, p, p)
    c /= c.sum(1, keepdims=True)
    expected = sum(c[j, k] for j in range(4) for k in range(4) if j != k) / 4
    assert mcc(LOGITS, temperature).item() == pytest.approx(expected, rel=1e-5)


def test_certain_predictions_are_not_confused_and_uniform_ones_most() -> None:
    assert mcc(1e4 * torch.eye(4)).item() == 0
    assert mcc(1e4 * torch.eye(4)[:2]).item() == 0  # classes that nobody predicts
    assert mcc(torch.zeros(5, 4)).item() == pytest.approx(0.75)


def test_the_gradient_treats_the_entropy_weights_as_constants() -> None:
    logits = LOGITS.double().requires_grad_()
    w = torch.from_numpy(1 + np.exp(-entropy(softmax(LOGITS.double().numpy() / 2.5, axis=1), axis=1)))

    def loss(given: torch.Tensor) -> torch.Tensor:
        p = (given / 2.5).softmax(1)
        c = torch.einsum("i,ij,ik->jk", w, p, p)
        c = c / c.sum(1, keepdim=True)
        return (c.sum() - c.trace()) / 4

    (found,), (expected,) = (torch.autograd.grad(f(logits), logits) for f in (mcc, loss))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_finite_where_probabilities_vanish() -> None:
    logits = (1e4 * torch.eye(4)[:2]).requires_grad_()
    mcc(logits).backward()
    assert logits.grad.isfinite().all()
