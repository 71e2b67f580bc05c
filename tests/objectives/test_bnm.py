"""The nuclear norm in closed form and against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax

from limbeck.objectives.bnm import bnm


@pytest.mark.parametrize("n", [2, 7])
def test_is_the_nuclear_norm_over_the_batch(n: int) -> None:
    logits = 2 * torch.randn(n, 4)
    p = softmax(logits.double().numpy(), axis=1)
    # The nuclear norm as the trace of the root of pᵀp.
    expected = np.sqrt(np.linalg.eigvalsh(p @ p.T if n < 4 else p.T @ p).clip(0)).sum() / n
    assert bnm(logits).item() == pytest.approx(-expected, rel=1e-5)


def test_certain_and_diverse_is_least_uniform_is_most() -> None:
    certain = 1e3 * torch.eye(4).repeat(3, 1)
    assert bnm(certain).item() == pytest.approx(-math.sqrt(4 / 12))
    assert bnm(certain[:1].repeat(12, 1)).item() == pytest.approx(-math.sqrt(1 / 12))
    assert bnm(torch.zeros(12, 4)).item() == pytest.approx(-1 / math.sqrt(48))


def test_gradients() -> None:
    assert torch.autograd.gradcheck(bnm, torch.randn(6, 4, dtype=torch.float64, requires_grad=True))
    equal = torch.zeros(6, 4, requires_grad=True)
    bnm(equal).backward()
    assert equal.grad.isfinite().all()
