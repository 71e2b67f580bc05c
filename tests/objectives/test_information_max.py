"""Mutual information against its definition from the joint distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax

from limbeck.objectives.information_max import information_max


def test_is_minus_the_mutual_information_of_sample_and_class() -> None:
    logits = 2 * torch.randn(9, 4)
    joint = softmax(logits.double().numpy(), axis=1) / 9
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    assert information_max(logits).item() == pytest.approx(-(joint * np.log(joint / independent)).sum(), rel=1e-5)


def test_closed_forms() -> None:
    assert information_max(1e4 * torch.eye(5).repeat(2, 1)).item() == pytest.approx(-math.log(5))
    assert information_max(torch.randn(1, 5).repeat(4, 1)).item() == pytest.approx(0, abs=1e-6)
    assert information_max(1e4 * torch.eye(5)[:1].repeat(4, 1)).item() == 0  # certain, of one class only


def test_gradients() -> None:
    assert torch.autograd.gradcheck(information_max, torch.randn(6, 4, dtype=torch.float64, requires_grad=True))
    vanishing = (1e4 * torch.eye(5)[:2]).requires_grad_()
    information_max(vanishing).backward()
    assert vanishing.grad.isfinite().all()
