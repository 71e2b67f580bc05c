"""Mixup across domains: partners are of another domain, mixtures and losses are those of the formula."""

from __future__ import annotations

import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, network
from torch import nn

from limbeck.core import Batch, Spec
from limbeck.methods.domain_mixup import DomainMixup, mixed_loss, partners
from limbeck.networks import Observed


def test_partners_are_of_another_domain_with_equal_chances() -> None:
    domain = torch.tensor([0, 0, 1, 2, 2])
    members = torch.eye(3, dtype=torch.bool)[domain]
    drawn = torch.stack([partners(members) for _ in range(4000)])
    assert (domain[drawn] != domain).all()
    share = (drawn[:, 0, None] == torch.tensor([2, 3, 4])).float().mean(0)
    assert share.tolist() == pytest.approx([1 / 3] * 3, abs=0.03)


@pytest.mark.parametrize("task", [CLASSES, VALUES])
def test_the_loss_is_that_of_the_mixed_labels(task, monkeypatch: pytest.MonkeyPatch) -> None:
    method, student = DomainMixup(alpha=0.4), Observed(network(task.outputs))
    method.build(student, task, student.spec((WIDTH,)), Spec(0))
    method.eval()
    x = torch.randn(6, WIDTH)
    labels = torch.arange(6) % 3 if task.is_classification else torch.randn(6)
    batch = Batch(x, torch.arange(6), labels, domains=torch.eye(2, dtype=torch.bool)[torch.arange(6) % 2])
    torch.manual_seed(3)
    (update,) = method({"source": batch}, {})
    torch.manual_seed(3)  # the same draws again
    other, share = partners(batch.members), torch.distributions.Beta(0.4, 0.4).sample((6,))
    said = student(share[:, None] * x + (1 - share)[:, None] * x[other]).logits
    if task.is_classification:
        soft = share[:, None] * torch.eye(3)[labels] + (1 - share)[:, None] * torch.eye(3)[labels[other]]
        expected = nn.functional.cross_entropy(said, soft)
    else:
        aimed = share * labels + (1 - share) * labels[other]
        spread = share * (1 - share) * (labels - labels[other]).square()
        expected = ((said[:, 0] - aimed).square() + spread).mean()
    assert float(update.losses["mixtures"]) == pytest.approx(float(expected), rel=1e-5)


def test_a_batch_of_one_domain_is_left_as_it_is() -> None:
    members = torch.ones(4, 1, dtype=torch.bool)
    assert partners(members).tolist() == [0, 1, 2, 3]
    assert float(mixed_loss(torch.ones(4), torch.zeros(4), torch.ones(4))) == 1.0
