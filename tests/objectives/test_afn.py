"""Every norm is lengthened by the same step, in both domains."""

from __future__ import annotations

import pytest
import torch

from limbeck.core import FEATURES, Batch, Knowledge, Outputs
from limbeck.objectives.afn import Afn, afn


def test_the_gradient_lengthens_each_vector_equally() -> None:
    features = torch.randn(7, 3).double().requires_grad_()
    loss = afn(features, 0.5)
    loss.backward()
    unit = features.detach() / features.detach().square().sum(1, keepdim=True).sqrt()
    assert loss.item() == pytest.approx(0.25)
    assert torch.allclose(features.grad, -2 * 0.5 / 7 * unit)


def test_both_domains_are_lengthened_and_zero_vectors_stay_finite() -> None:
    features = torch.cat([torch.randn(2, 3), torch.zeros(1, 3), torch.randn(4, 3)]).requires_grad_()
    outputs = Outputs(features, {FEATURES: features}, 2)
    Afn()(outputs, Knowledge(), Batch(torch.zeros(7, 1), torch.arange(7), sources=2)).backward()
    assert features.grad.isfinite().all()
    norms = features.grad.norm(dim=1)
    assert torch.allclose(norms[[0, 1, 3, 4, 5, 6]], torch.full((6,), 2 / 7))
