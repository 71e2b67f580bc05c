"""The joint discrepancy against loops in NumPy, and what the marginals do not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, UsageError
from limbeck.objectives.joint_mmd import JointMmd, joint_mmd

draw = torch.Generator().manual_seed(0)


def kernel(x: np.ndarray) -> np.ndarray:
    # torch's median of an even number is the lower of the middle two.
    scale = np.sort(pdist(x))[(len(x) * (len(x) - 1) // 2 - 1) // 2]
    return np.mean([np.exp(-(cdist(x, x) ** 2) / (2 * (b * scale) ** 2)) for b in (0.25, 0.5, 1, 2, 4)], axis=0)


def test_is_the_unbiased_estimate_with_the_product_of_kernels() -> None:
    layers = [torch.randn(9, width, generator=draw).double() for width in (5, 3)]
    k = kernel(layers[0].numpy()) * kernel(layers[1].numpy())
    within = [k[np.ix_(rows, rows)][~np.eye(len(rows), dtype=bool)].mean() for rows in (range(4), range(4, 9))]
    expected = sum(within) - 2 * k[:4, 4:].mean()
    assert joint_mmd(layers, 4).item() == pytest.approx(expected, rel=1e-9)


def test_sees_a_difference_of_the_joint_distribution_that_no_layer_shows_alone() -> None:
    x, y = (torch.randn(400, 1, generator=draw) for _ in range(2))
    other = torch.cat([x[:200], -x[200:]])  # equal to x in the source, opposite in the target: the same marginals
    together = joint_mmd([x, other], 200)
    assert together > 0.1
    assert abs(joint_mmd([x, y], 200)) < 0.02
    assert abs(joint_mmd([other], 200)) < 0.02


def test_reads_layers_and_probabilities_and_refuses_single_samples() -> None:
    features, logits = torch.randn(9, 5, generator=draw), torch.randn(9, 3, generator=draw)
    outputs = Outputs(logits, {FEATURES: features, "inner": features[:, :2]}, 4)
    found = JointMmd([FEATURES, "inner"])(outputs, Knowledge(), Batch(torch.zeros(9, 1), torch.arange(9)))
    assert found.equal(joint_mmd([features, features[:, :2], logits.softmax(1)], 4))
    with pytest.raises(UsageError, match=r"at least 2 samples of each domain. Got \[1, 5\] of the source and \[8, 5\]"):
        JointMmd()(Outputs(logits, {FEATURES: features}, 1), Knowledge(), Batch(torch.zeros(9, 1), torch.arange(9)))


def test_the_gradient_for_fixed_bandwidths_lowers_it() -> None:
    x = torch.cat([torch.randn(6, 2, generator=draw), torch.randn(8, 2, generator=draw) + 1]).requires_grad_()
    before = joint_mmd([x, x.softmax(1)], 6)
    before.backward()
    assert joint_mmd([(x - 0.1 * x.grad).detach(), (x - 0.1 * x.grad).softmax(1).detach()], 6) < before
