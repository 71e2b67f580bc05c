import math

import pytest
import torch

from limbeck.core import RunError
from limbeck.evaluation import (
    calibrated_information,
    class_ami,
    information_and_clusters,
    information_maximisation,
    source_temperature,
)


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


def test_without_a_labelled_sample_of_the_source_confidence_counts_as_it_is() -> None:
    logits, labels = drawn(3.0, 200)
    expected = information_maximisation(logits)
    assert calibrated_information(logits[:0], labels[:0], logits) == pytest.approx(expected)
    assert calibrated_information(logits, torch.full_like(labels, -1), logits) == pytest.approx(expected)


def test_samples_without_a_label_do_not_calibrate() -> None:
    logits, labels = drawn(2.0, 300)
    some = torch.where(torch.arange(300) < 200, labels, -1)
    assert calibrated_information(logits, some, logits) == calibrated_information(logits[:200], labels[:200], logits)


CENTRES = torch.tensor([[9.0, 0.0], [0.0, 9.0], [-9.0, 0.0], [0.0, -9.0]])


def blobs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Certain and right answers [200, 4], the classes, and features in four tight clusters."""
    classes = torch.arange(200) % 4
    noise = 0.1 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    return 20 * torch.eye(4)[classes], classes, CENTRES[classes] + noise


def test_both_witnesses_count_one_half() -> None:
    logits, labels = drawn(3.0, 200)
    target, features = logits.flip(0), torch.randn(200, 5, generator=torch.Generator().manual_seed(1))
    share = calibrated_information(logits, labels, target) / math.log(4)
    expected = (share + class_ami(target, features)) / 2
    assert information_and_clusters(logits, labels, target, features) == pytest.approx(expected)
    assert 0 < expected < 0.5


def test_it_is_one_for_certain_answers_that_follow_the_clusters_and_less_for_any_fault() -> None:
    logits, labels, features = blobs()
    assert information_and_clusters(logits, labels, logits, features) == pytest.approx(1)
    shuffled = features[torch.randperm(200, generator=torch.Generator().manual_seed(2))]
    assert information_and_clusters(logits, labels, logits, shuffled) == pytest.approx(0.5, abs=0.05)
    wrong = labels.roll(1)  # as sure as before, and never right on the source
    assert information_and_clusters(logits, wrong, logits, features) < 0.75


def test_the_more_answers_leave_their_cluster_the_lower_it_is() -> None:
    logits, labels, features = blobs()
    found = []
    for moved in range(0, 120, 20):
        said = torch.where(torch.arange(200) < moved, (labels + 1) % 4, labels)
        found.append(information_and_clusters(logits, labels, 20 * torch.eye(4)[said], features))
    assert found == sorted(found, reverse=True) and found[0] - found[-1] > 0.2


def test_scaling_the_features_or_naming_the_classes_anew_changes_nothing() -> None:
    logits, labels, features = blobs()
    noisy = features + 4 * torch.randn(200, 2, generator=torch.Generator().manual_seed(3))
    found = information_and_clusters(logits, labels, logits, noisy)
    assert 0.5 < found < 1
    turned = torch.tensor([2, 0, 3, 1])
    renamed = information_and_clusters(logits[:, turned], turned.argsort()[labels], logits[:, turned], 8 * noisy)
    assert renamed == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_few_samples_one_class_and_constant_features_give_a_number_in_range(samples: int) -> None:
    logits, labels = torch.eye(3)[torch.zeros(samples, dtype=torch.long)], torch.zeros(samples, dtype=torch.long)
    for features in (torch.zeros(samples, 4), torch.randn(samples, 4)):
        assert information_and_clusters(logits, labels, 30 * logits, features) == pytest.approx(0, abs=1e-6)


def test_features_that_are_no_numbers_are_told() -> None:
    logits, labels, features = blobs()
    with pytest.raises(RunError, match="not finite"):
        information_and_clusters(logits, labels, logits, features / 0)
