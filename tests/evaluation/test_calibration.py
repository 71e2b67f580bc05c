import math

import pytest
import torch

from limbeck.evaluation import calibrated_information, information_maximisation, source_temperature


def drawn(temperature: float, samples: int = 4000) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels drawn from softmax(logits / temperature)."""
    random = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(samples, 4, generator=random)
    return logits, torch.multinomial((logits / temperature).softmax(1), 1, generator=random).squeeze(1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_of_which_the_labels_were_drawn_is_found(temperature: float) -> None:
    assert source_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.08)


def test_no_temperature_of_a_fine_grid_is_better() -> None:
    logits, labels = drawn(2.0, 200)
    found = torch.nn.functional.cross_entropy(logits / source_temperature(logits, labels), labels)
    grid = torch.linspace(math.log(1 / 8), math.log(32), 500).exp()
    assert all(found <= torch.nn.functional.cross_entropy(logits / heat, labels) + 1e-6 for heat in grid)


def test_where_nothing_is_wrong_the_temperature_ends_at_its_lowest() -> None:
    assert source_temperature(2 * torch.eye(3), torch.arange(3)) == pytest.approx(1 / 8, rel=0.01)


def test_where_the_logits_tell_nothing_it_stays_finite_and_the_score_is_near_zero() -> None:
    logits, labels = torch.eye(2).repeat(4, 1), torch.tensor([0, 0, 1, 1] * 2)
    assert source_temperature(logits, labels) == pytest.approx(32, rel=0.01)
    assert 0 <= calibrated_information(logits, labels, logits) < 0.001


def test_scaling_a_network_up_changes_information_but_not_calibrated_information() -> None:
    logits, labels = drawn(1.0, 500)
    target = logits.flip(0)
    calm, loud = (calibrated_information(factor * logits, labels, factor * target) for factor in (1, 8))
    assert loud == pytest.approx(calm, abs=1e-3)
    assert information_maximisation(8 * target) > information_maximisation(target) + 0.1
