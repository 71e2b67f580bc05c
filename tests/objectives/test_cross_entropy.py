"""The hard-label loss against scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import log_loss

from limbeck.core import Batch, Knowledge, Outputs, SealedLabelsError
from limbeck.objectives.cross_entropy import CrossEntropy, cross_entropy

LOGITS = 2 * torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(9) % 4


def test_is_the_log_loss_of_the_softmax() -> None:
    expected = log_loss(LABELS.numpy(), LOGITS.double().softmax(1).numpy(), labels=range(4))
    assert cross_entropy(LOGITS, LABELS).item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_mixes_the_labels_with_the_uniform_distribution() -> None:
    plain, uniform = cross_entropy(LOGITS, LABELS), -LOGITS.log_softmax(1).mean()
    assert cross_entropy(LOGITS, LABELS, 0.2).item() == pytest.approx((0.8 * plain + 0.2 * uniform).item(), rel=1e-5)
    batch = Batch(torch.zeros(9, 1), torch.arange(9), LABELS)
    assert CrossEntropy(0.2)(Outputs(LOGITS), Knowledge(), batch).equal(cross_entropy(LOGITS, LABELS, 0.2))


def test_uniform_outputs_give_the_logarithm_of_the_classes() -> None:
    assert cross_entropy(torch.zeros(5, 7), torch.arange(5)).item() == pytest.approx(math.log(7))


def test_computed_in_full_precision() -> None:
    wrong = torch.tensor([[1e4, -1e4]], dtype=torch.bfloat16)
    loss = cross_entropy(wrong, torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(2e4, rel=0.01)


def test_sealed_labels_are_not_read() -> None:
    with pytest.raises(SealedLabelsError, match="sealed"):
        CrossEntropy()(Outputs(LOGITS), Knowledge(), Batch(torch.zeros(9, 1), torch.arange(9)))
