"""The reversed gradient, the balanced loss and the discriminator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import entropy as reference

from limbeck.core import Outputs, UsageError
from limbeck.objectives._domains import Discriminator, domain_loss, entropy, reverse, two_domains


def test_reversal_keeps_the_values_and_turns_the_gradient() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    turned = reverse(x, 0.3)
    assert turned.equal(x)
    turned.square().sum().backward()
    assert torch.allclose(x.grad, -0.3 * 2 * x)


def test_each_domain_counts_one_half_whatever_its_size() -> None:
    source, target = torch.randn(3).double(), torch.randn(7).double()
    of_source, of_target = -np.log(expit(source.numpy())), -np.log(1 - expit(target.numpy()))
    expected = (of_source.mean() + of_target.mean()) / 2
    assert domain_loss(source, target).item() == pytest.approx(float(expected))
    assert domain_loss(source, target.repeat(5)).item() == pytest.approx(float(expected))
    weights = {"source": torch.tensor([1.0, 0.0, 0.0]).double(), "target": 5 * torch.ones(7).double()}
    expected = (of_source[0] + of_target.mean()) / 2
    assert domain_loss(source, target, weights).item() == pytest.approx(float(expected))


def test_the_accuracy_is_balanced() -> None:
    discriminator = Discriminator(2, 4)
    assert discriminator.accuracy.isnan()
    discriminator.watch(torch.tensor([1.0, 1.0, -1.0, 1.0]), torch.tensor([-1.0, 2.0]))
    assert discriminator.accuracy.item() == (0.75 + 0.5) / 2


def test_entropy_is_that_of_the_softmax() -> None:
    logits = 3 * torch.randn(5, 4).double()
    assert np.allclose(entropy(logits), reference(logits.softmax(1), axis=1))
    assert entropy(torch.tensor([[0.0, -1e4]])).item() == 0


def test_a_domain_without_rows_is_refused_with_both_shapes() -> None:
    with pytest.raises(UsageError, match=r"Got \[0, 4\] of the source and \[5, 4\] of the target"):
        two_domains("afn", Outputs(torch.zeros(5, 2), {"a": torch.zeros(5, 4)}), "a")
