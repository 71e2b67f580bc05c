"""The methods that learn from labels alone: which samples they read, and with which loss."""

from __future__ import annotations

import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World

from limbeck.core import Batch
from limbeck.methods import Method
from limbeck.methods._hard_labels import hard_objective
from limbeck.methods.source_only import SourceOnly
from limbeck.methods.target_only import TargetOnly

METHODS = [(SourceOnly, "source", frozenset()), (TargetOnly, "target", frozenset({"target_labels"}))]


@pytest.mark.parametrize(("kind", "stream", "needs"), METHODS)
def test_the_loss_is_that_of_its_own_samples(kind: type[Method], stream: str, needs: frozenset[str]) -> None:
    inputs, labels = torch.randn(7, WIDTH), torch.arange(7) % 3
    method = World().built(kind())[0].eval()
    assert method.reads() == (stream,) and method.requires() == needs and not method.knowledge_streams()
    (update,) = method({stream: Batch(inputs, torch.arange(7), labels)}, {})
    expected = torch.nn.functional.cross_entropy(method.student(inputs).logits, labels)
    assert update.losses["hard_labels"].equal(expected)


@pytest.mark.parametrize(("kind", "stream", "needs"), METHODS)
def test_values_are_learnt_by_least_squares(kind: type[Method], stream: str, needs: frozenset[str]) -> None:
    inputs, labels = torch.randn(7, WIDTH), torch.randn(7)
    method = World(VALUES).built(kind())[0].eval()
    (update,) = method({stream: Batch(inputs, torch.arange(7), labels)}, {})
    expected = (method.student(inputs).logits[:, 0] - labels).square().mean()
    assert update.losses["hard_labels"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", [SourceOnly, TargetOnly])
def test_smoothing_reaches_the_loss(kind: type[Method]) -> None:
    assert World().built(kind(label_smoothing=0.2))[0].objective.label_smoothing == 0.2
    assert hard_objective(CLASSES, 0.1).label_smoothing == 0.1
    assert hard_objective(VALUES).needs == {"labels"}
