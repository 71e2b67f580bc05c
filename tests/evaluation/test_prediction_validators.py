import math

import pytest
import torch

from limbeck.evaluation import (
    batch_nuclear_norm,
    entropy,
    information_maximisation,
    soft_neighbourhood_density,
)

UNIFORM = torch.zeros(30, 3)
ONE_HOT = 200 * torch.eye(3).repeat(10, 1)
COLLAPSED = 200 * torch.eye(3)[torch.zeros(30, dtype=torch.long)]


def test_entropy_at_its_extremes():
    assert entropy(UNIFORM) == pytest.approx(-math.log(3))
    assert entropy(ONE_HOT) == entropy(COLLAPSED) == pytest.approx(0)


def test_information_maximisation_wants_confidence_and_variety():
    assert information_maximisation(ONE_HOT) == pytest.approx(math.log(3))
    assert information_maximisation(UNIFORM) == pytest.approx(0, abs=1e-6)
    assert information_maximisation(COLLAPSED) == pytest.approx(0)


def test_soft_neighbourhood_density_at_its_extremes():
    assert soft_neighbourhood_density(UNIFORM) == pytest.approx(math.log(29), abs=1e-5)
    assert soft_neighbourhood_density(COLLAPSED) == pytest.approx(math.log(29), abs=1e-5)
    # Nine neighbours at similarity 1 and twenty at 0: p ∝ e^20 and 1, so nearly log 9.
    weights = torch.tensor([math.exp(20)] * 9 + [1.0] * 20, dtype=torch.double)
    expected = torch.special.entr(weights / weights.sum()).sum().item()
    assert soft_neighbourhood_density(ONE_HOT) == pytest.approx(expected, abs=1e-4)


def test_soft_neighbourhood_density_follows_the_formula():
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    total = 0.0
    points = [p / p.norm() for p in logits.softmax(1)]
    for i in range(7):
        weights = [math.exp(float(points[i] @ points[j]) / 0.05) for j in range(7) if j != i]
        total -= sum(w / sum(weights) * math.log(w / sum(weights)) for w in weights)
    assert soft_neighbourhood_density(logits) == pytest.approx(total / 7, abs=1e-5)
    assert soft_neighbourhood_density(logits[:1]) == 0.0


def test_large_selection_splits_are_capped():
    logits = torch.zeros(20_000, 3)  # whole, every sample would have 19,999 neighbours
    assert soft_neighbourhood_density(logits) == pytest.approx(math.log(1999), abs=1e-3)


def test_batch_nuclear_norm_at_its_extremes_and_by_eigenvalues():
    assert batch_nuclear_norm(ONE_HOT) == pytest.approx(1)
    assert batch_nuclear_norm(COLLAPSED) == pytest.approx(1 / math.sqrt(3))
    assert batch_nuclear_norm(UNIFORM) == pytest.approx(1 / 3)
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    p = logits.softmax(1)
    roots = torch.linalg.eigvalsh(p.T @ p).sqrt()
    assert batch_nuclear_norm(logits) == pytest.approx(roots.sum().item() / math.sqrt(7 * 3))
    assert batch_nuclear_norm(ONE_HOT[:2]) == pytest.approx(1)  # fewer samples than classes
