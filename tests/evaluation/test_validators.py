import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from limbeck.core import Task, UsageError
from limbeck.evaluation import (
    ALL_VALIDATORS,
    REGRESSION_VALIDATORS,
    VALIDATORS,
    Observations,
    applicable,
    batch_nuclear_norm,
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


def whole(logits: Tensor, labels: Tensor) -> Observations:
    """All that can be observed of a network whose features are its logits."""
    features = logits.double()
    given = {"source_features": features, "target_features": features, "source_train_features": features}
    return Observations(
        logits, labels, logits, CLASSES, **given, head_weight=torch.eye(3), target_inputs=logits, predict=lambda x: x
    )


def test_batch_nuclear_norm_at_its_extremes_and_by_eigenvalues():
    assert batch_nuclear_norm(ONE_HOT) == pytest.approx(1)
    assert batch_nuclear_norm(COLLAPSED) == pytest.approx(1 / math.sqrt(3))
    assert batch_nuclear_norm(UNIFORM) == pytest.approx(1 / 3)
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    p = logits.softmax(1)
    roots = torch.linalg.eigvalsh(p.T @ p).sqrt()
    assert batch_nuclear_norm(logits) == pytest.approx(roots.sum().item() / math.sqrt(7 * 3))
    assert batch_nuclear_norm(ONE_HOT[:2]) == pytest.approx(1)  # fewer samples than classes


@pytest.mark.parametrize("name", sorted(ALL_VALIDATORS))
def test_with_all_observed_every_validator_scores_alike_each_time(name: str):
    labels = torch.arange(3).repeat(20)
    rough = ONE_HOT.repeat(2, 1) / 50 + torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    seen = whole(rough, labels)
    score = validate(name, seen)
    assert math.isfinite(score) and isinstance(score, float)
    torch.manual_seed(5)
    assert validate(name, seen) == score
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    assert validate(name, whole(rough[order], labels[order])) == pytest.approx(score, abs=1e-6)


def test_a_validator_gets_what_it_says_it_needs():
    """With one field less than it needs it is not applicable, and says which one is missing."""
    everything = whole(ONE_HOT, torch.arange(3).repeat(10))
    assert applicable(everything) == list(ALL_VALIDATORS)
    for name, validator in ALL_VALIDATORS.items():
        for field in validator.needs:
            poorer = replace(everything, **{field: None})
            assert name not in applicable(poorer)
            with pytest.raises(UsageError, match=f"validator '{name}' needs {field}, which was not observed"):
                validate(name, poorer)


def test_outputs_alone_suffice_for_the_validators_of_every_run():
    seen = Observations(ONE_HOT, torch.arange(3).repeat(10), ONE_HOT, CLASSES)
    assert applicable(seen) == list(VALIDATORS)
    assert set(ALL_VALIDATORS) - set(VALIDATORS) == {
        "dev",
        "class_ami",
        "reverse_validation",
        "hopkins_statistic",
        "transfer_score",
        "mixval",
    }
    regression = Observations(torch.zeros(4, 1), torch.zeros(4), torch.zeros(5, 1), Task("regression"))
    assert applicable(regression) == ["source_validation"]
