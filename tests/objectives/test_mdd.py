"""The discrepancy against NumPy, and who learns what: the auxiliary head to disagree, the student to prevent it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import Tensor
from turned_blobs import accuracy

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, UsageError
from limbeck.methods.distill import Distill
from limbeck.methods.source_only import SourceOnly
from limbeck.objectives import Schedule
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.mdd import Mdd, mdd

draw = torch.Generator().manual_seed(0)
FEATURE, LOGITS = torch.randn(9, 5, generator=draw), 3 * torch.randn(9, 3, generator=draw)
BATCH = Batch(torch.zeros(9, 1), torch.arange(9), sources=4)


def made(**settings) -> Mdd:
    torch.manual_seed(0)
    objective = Mdd(hidden=32, **settings)
    objective.build(Spec(3, {FEATURES: (5,)}), Spec(0))
    return objective


def loss(objective: Mdd, features: Tensor, logits: Tensor = LOGITS) -> Tensor:
    return objective(Outputs(logits, {FEATURES: features}, 4), Knowledge(), BATCH)


@pytest.mark.parametrize("margin", [1.0, 4.0])
def test_is_the_formula_of_the_paper(margin: float) -> None:
    objective = made(margin=margin).double()
    h = LOGITS.numpy().argmax(1)
    with torch.no_grad():
        scores = softmax(objective.head(FEATURE.double()).numpy(), axis=1)
    own = scores[np.arange(9), h]
    discrepancy = np.log(1 - own[4:]).mean() - margin * -np.log(own[:4]).mean()
    assert loss(objective, FEATURE.double()).item() == pytest.approx(-discrepancy, rel=1e-12)


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_the_student_gets_the_gradient_reversed_and_scaled_the_head_in_full(strength: float) -> None:
    objective, features = made(strength=strength), FEATURE.clone().requires_grad_()
    h = LOGITS.argmax(1)
    plain = mdd(objective.head(features[:4]), objective.head(features[4:]), h[:4], h[4:])
    wanted = torch.autograd.grad(plain, [features, *objective.parameters()])
    found = torch.autograd.grad(loss(objective, features), [features, *objective.parameters()])
    assert wanted[0].abs().max() > 0
    torch.testing.assert_close(found[0], -strength * wanted[0])
    for own, expected in zip(found[1:], wanted[1:], strict=True):
        torch.testing.assert_close(own, expected)


def test_the_head_learns_to_disagree_on_the_target_alone() -> None:
    objective = made(strength=1.0)
    optimiser = torch.optim.Adam(objective.parameters(), 1e-2)
    points = torch.cat([FEATURE[:4], FEATURE[4:] + 3.0])
    for _ in range(150):
        optimiser.zero_grad()
        loss(objective, points).backward()
        optimiser.step()
    own = objective.head(points).softmax(1).gather(1, LOGITS.argmax(1)[:, None])
    assert own[:4].min() > 0.8
    assert own[4:].max() < 0.2


def test_a_step_of_the_student_makes_the_head_worse() -> None:
    objective, features = made(strength=1.0), FEATURE.clone().requires_grad_()
    before = loss(objective, features)
    before.backward()
    assert loss(objective, features - features.grad) > before + 0.05


def test_equal_domains_have_the_closed_form_of_the_best_head() -> None:
    """−γ log σ − log(1 − σ) is least at σ = γ/(1+γ) (Zhang et al. 2019, section 5)."""
    margin, h = 3.0, torch.tensor([0, 1])
    values = [
        mdd(z, z, h, h, margin).item()
        for z in (torch.eye(2) * float(np.log(odds)) for odds in np.linspace(1.5, 5.0, 36))
    ]
    assert np.linspace(1.5, 5.0, 36)[int(np.argmin(values))] == pytest.approx(margin)
    share = margin / (1 + margin)
    assert min(values) == pytest.approx(-margin * np.log(share) - np.log(1 - share), rel=1e-5)


def test_finite_where_the_head_is_certain() -> None:
    logits, h = (1e4 * torch.eye(3)).requires_grad_(), torch.arange(3)
    value = mdd(logits, logits, h, h)
    value.backward()
    assert value.isfinite() and logits.grad.isfinite().all()


def test_the_strength_rises_to_a_tenth() -> None:
    objective = made()
    assert objective.current == pytest.approx(0.1)  # outside of a run
    objective.at(0.0)
    assert objective.current == 0.0


def test_bad_settings_are_named() -> None:
    for wrong in (-1.0, Schedule(start=1.0, end=-1.0)):
        with pytest.raises(UsageError, match="'strength' of mdd must be ≥ 0"):
            Mdd(strength=wrong)
    with pytest.raises(UsageError, match="'margin' of mdd must be > 0"):
        Mdd(margin=0.0)
    with pytest.raises(UsageError, match="at least 2"):
        made().build(Spec(1, {FEATURES: (5,)}), Spec(0))


@pytest.mark.slow
def test_it_helps_on_turned_blobs() -> None:
    alone = [accuracy(SourceOnly(), seed) for seed in range(3)]
    adapted = [accuracy(Distill([CrossEntropy(), Mdd(hidden=32)]), seed) for seed in range(3)]
    assert np.mean(adapted) > np.mean(alone) + 0.03
