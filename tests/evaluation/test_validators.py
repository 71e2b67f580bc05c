import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from limbeck.core import Task, UsageError
from limbeck.evaluation import (
    ALL_VALIDATORS,
    DEFAULT_VALIDATOR,
    REGRESSION_VALIDATORS,
    VALIDATORS,
    Observations,
    applicable,
    better_on_source,
    validate,
)

CLASSES = Task("classification", ("a", "b", "c"))
UNIFORM = torch.zeros(30, 3)
ONE_HOT = 200 * torch.eye(3).repeat(10, 1)


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
    perfect = validate(name, whole(ONE_HOT, labels))
    ignorant = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    assert math.isfinite(perfect)
    if name != "soft_neighbourhood_density":  # known to reward one cluster of everything
        assert perfect > validate(name, whole(ignorant, labels))


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
    seen = whole(logits, torch.zeros(40, dtype=torch.long))
    half = whole(logits.bfloat16(), seen.source_labels)
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


def no_source(seen: Observations) -> dict:
    """What a source-free training shows of it."""
    return {"source_logits": seen.source_logits[:0], "source_labels": seen.source_labels[:0], "source_features": None}


def test_a_validator_gets_what_it_says_it_needs():
    """With one field less than it needs it is not applicable, and says which one is missing."""
    everything = whole(ONE_HOT, torch.arange(3).repeat(10))
    assert applicable(everything) == list(ALL_VALIDATORS)
    for name, validator in ALL_VALIDATORS.items():
        for field in validator.needs:
            poorer = replace(everything, **({field: None} if field != "source_labels" else no_source(everything)))
            assert name not in applicable(poorer)
            with pytest.raises(UsageError, match=f"validator '{name}' needs {field}, which was not observed"):
                validate(name, poorer)


def test_outputs_alone_suffice_for_the_validators_of_every_run_but_the_default():
    seen = Observations(ONE_HOT, torch.arange(3).repeat(10), ONE_HOT, CLASSES)
    assert [*applicable(seen), DEFAULT_VALIDATOR] == sorted(VALIDATORS, key=lambda name: name == DEFAULT_VALIDATOR)
    assert VALIDATORS[DEFAULT_VALIDATOR].needs == {"target_features"}
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


@pytest.mark.parametrize(("better", "found"), [(0, False), (1, False), (30, True), (-30, False)])
def test_better_on_the_source_is_beyond_chance(better: int, found: bool):
    """Both are wrong on 50 of 200 samples, the one on so many fewer."""
    labels = torch.zeros(200, dtype=torch.int64)
    said = [torch.eye(3)[(torch.arange(200) < wrong).long()] for wrong in (50 - better, 50)]
    own, other = (Observations(logits, labels, logits, CLASSES) for logits in said)
    assert better_on_source(own, other) is found


def test_chance_is_called_better_once_in_twenty():
    draw = torch.Generator().manual_seed(0)
    truth, task = torch.randn(60, generator=draw), Task("regression")
    said = truth[:, None] + torch.randn(800, 2, 60, 1, generator=draw)
    seen = [[Observations(one, truth, one, task) for one in pair] for pair in said]
    share = sum(better_on_source(own, other) for own, other in seen) / len(seen)
    assert 0.03 < share < 0.08
