import math

import pytest
import torch

from limbeck.core import Task, UsageError
from limbeck.evaluation import (
    REGRESSION_VALIDATORS,
    VALIDATORS,
    Observations,
    entropy,
    information_maximisation,
    soft_neighbourhood_density,
    validate,
)

CLASSES = Task("classification", ("a", "b", "c"))
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


def test_source_validation_is_accuracy_or_negative_rmse():
    logits = torch.eye(3)
    seen = Observations(logits, torch.tensor([0, 1, 1]), UNIFORM, CLASSES)
    assert validate("source_validation", seen) == pytest.approx(2 / 3)
    regression = Observations(
        torch.tensor([[1.0], [4.0]]), torch.tensor([1.0, 1.0]), UNIFORM[:, :1], Task("regression")
    )
    assert validate("source_validation", regression) == pytest.approx(-math.sqrt(4.5))


@pytest.mark.parametrize("name", sorted(VALIDATORS))
def test_every_validator_prefers_a_perfect_model_to_an_ignorant_one(name):
    labels = torch.arange(3).repeat(10)
    perfect = validate(name, Observations(ONE_HOT, labels, ONE_HOT, CLASSES))
    ignorant = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    assert math.isfinite(perfect)
    if name != "soft_neighbourhood_density":  # known to reward one cluster of everything
        assert perfect > validate(name, Observations(ignorant, labels, ignorant, CLASSES))


@pytest.mark.parametrize("name", sorted(VALIDATORS))
def test_only_declared_validators_score_a_regression(name):
    seen = Observations(torch.zeros(4, 1), torch.zeros(4), torch.zeros(5, 1), Task("regression"))
    if name in REGRESSION_VALIDATORS:
        assert validate(name, seen) == 0
    else:
        with pytest.raises(UsageError, match="source_validation"):
            validate(name, seen)


def test_scores_are_the_same_each_time_and_in_half_precision():
    logits = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    seen = Observations(logits, torch.zeros(40, dtype=torch.long), logits, CLASSES)
    half = Observations(logits.bfloat16(), seen.source_labels, logits.bfloat16(), CLASSES)
    for name in VALIDATORS:
        assert validate(name, seen) == validate(name, seen)
        assert validate(name, half) == pytest.approx(validate(name, seen), abs=0.05)


def test_a_misspelt_validator_is_corrected():
    with pytest.raises(UsageError, match="Did you mean 'entropy'"):
        validate("entropie", Observations(UNIFORM, torch.zeros(30, dtype=torch.long), UNIFORM, CLASSES))
