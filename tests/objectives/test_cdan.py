"""The joint variables, their random projection, and the entropy weights, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from scipy.stats import entropy

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, UsageError
from limbeck.objectives.cdan import Cdan, multilinear

draw = torch.Generator().manual_seed(0)
FEATURE, LOGITS = torch.randn(9, 5, generator=draw), 3 * torch.randn(9, 3, generator=draw)
BATCH = Batch(torch.zeros(9, 1), torch.arange(9), sources=4)


def made(**settings) -> Cdan:
    torch.manual_seed(0)
    objective = Cdan(**settings)
    objective.build(Spec(3, {FEATURES: (5,)}), Spec(0))
    return objective


@pytest.mark.parametrize("weighted", [True, False])
def test_is_the_weighted_loss_of_the_products(weighted: bool) -> None:
    objective = made(entropy_weights=weighted)
    p = softmax(LOGITS.double().numpy(), axis=1)
    joint = np.einsum("nd,nc->ndc", FEATURE.double().numpy(), p).reshape(9, -1)
    said = objective.double().discriminator(torch.from_numpy(joint)).detach().numpy()
    w = 1 + np.exp(-entropy(p, axis=1)) if weighted else np.ones(9)
    source = np.average(-np.log(expit(said[:4])), weights=w[:4])
    target = np.average(-np.log(1 - expit(said[4:])), weights=w[4:])
    found = objective.float()(Outputs(LOGITS, {FEATURES: FEATURE}, 4), Knowledge(), BATCH)
    assert found.item() == pytest.approx((source + target) / 2, rel=1e-5)


def test_the_gradient_of_the_features_is_reversed_and_predictions_get_none() -> None:
    gradients = []
    for strength in (0.5, 1.0):
        feature, logits = FEATURE.clone().requires_grad_(), LOGITS.clone().requires_grad_()
        objective = made(strength=strength)
        objective(Outputs(logits, {FEATURES: feature}, 4), Knowledge(), BATCH).backward()
        assert logits.grad is None
        assert all(parameter.grad.abs().max() > 0 for parameter in objective.parameters())
        gradients.append(feature.grad)
        # A step of the student along its gradient's descent makes the discriminator worse.
        worse = objective(Outputs(logits, {FEATURES: feature - 0.1 * feature.grad}, 4), Knowledge(), BATCH)
        assert worse > objective(Outputs(logits, {FEATURES: feature}, 4), Knowledge(), BATCH)
    assert torch.allclose(gradients[1], 2 * gradients[0])


def test_wide_products_are_projected_and_keep_their_inner_products() -> None:
    objective = made(widest=10, projection=40_000)
    assert objective.discriminator.layers[0].in_features == 40_000
    p = LOGITS.softmax(1)
    narrow, wide = objective._joint(FEATURE, p), multilinear(FEATURE, p)
    assert narrow.shape == (9, 40_000)
    assert torch.allclose(narrow @ narrow.T, wide @ wide.T, atol=0.3)
    assert made(widest=15).of_features is None


def test_a_negative_strength_is_refused() -> None:
    with pytest.raises(UsageError, match="'strength' of cdan must be ≥ 0"):
        Cdan(strength=-0.1)
