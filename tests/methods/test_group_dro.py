"""Group DRO: the weights by the exponentiated gradient, the loss by hand, and that it helps the worst domain."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, World, network
from torch import nn

from limbeck.core import Batch, Spec, UsageError
from limbeck.methods.group_dro import GroupDro, domain_losses, moved_weights
from limbeck.networks import Observed


def one_hot(domains: list[int], count: int) -> torch.Tensor:
    return torch.eye(count, dtype=torch.bool)[torch.tensor(domains)]


def test_the_weights_are_those_of_the_exponentiated_gradient() -> None:
    """After t steps `q_d ∝ exp(rate Σ_s ℓ_d(s))`, in float64."""
    draw, rate = np.random.default_rng(0), 0.3
    losses = draw.random((7, 4)) * 5
    q = torch.full((4,), 0.25)
    for step in losses:
        q = moved_weights(q, torch.from_numpy(step).float(), rate)
    expected = np.exp(rate * losses.sum(0))
    assert q.numpy() == pytest.approx(expected / expected.sum(), rel=1e-5)


def test_a_domain_that_the_batch_lacks_counts_as_without_loss() -> None:
    losses = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    found = domain_losses(losses, one_hot([0, 2, 2], 3))
    assert found.tolist() == [1.0, 0.0, 4.0]
    found.sum().backward()
    assert losses.grad.tolist() == [1.0, 0.5, 0.5]


@pytest.mark.parametrize("task", [CLASSES, VALUES])
def test_the_loss_of_two_steps_by_hand(task) -> None:
    method, student = GroupDro(rate=0.5), Observed(network(task.outputs))
    method.build(student, task, student.spec((WIDTH,)), Spec(0))
    method.eval()  # without dropout the answers are known
    inputs = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(5) % 3 if task.is_classification else torch.arange(5.0)
    said = student(inputs).logits.detach()
    if task.is_classification:
        each = nn.functional.cross_entropy(said, labels, reduction="none").tolist()
    else:
        each = (said[:, 0] - labels).square().tolist()
    means = [(each[0] + each[3]) / 2, each[1], (each[2] + each[4]) / 2]
    batch = Batch(inputs, torch.arange(5), labels, domains=one_hot([0, 1, 2, 0, 2], 3))
    for step in (1, 2):
        (update,) = method({"source": batch}, {})
        raised = [math.exp(0.5 * step * mean) for mean in means]
        q = [value / sum(raised) for value in raised]
        assert method.weights.tolist() == pytest.approx(q, rel=1e-4)
        loss = update.losses["domains"]
        assert loss.item() == pytest.approx(sum(a * b for a, b in zip(q, means, strict=True)), rel=1e-4)
        assert loss.requires_grad and not method.weights.requires_grad


def test_it_needs_several_domains() -> None:
    method, _ = World().built(GroupDro())
    batch = Batch(torch.randn(4, WIDTH), torch.arange(4), torch.arange(4) % 3)
    assert method.requires() == {"domains"}
    with pytest.raises(UsageError, match=r"one source domain.*'several'"):
        method({"source": batch}, {})


def test_the_worst_domain_gains() -> None:
    """One threshold for two domains whose best ones differ: of 100 samples 10 are of the second domain."""
    draw = torch.Generator().manual_seed(0)
    domain = torch.tensor([0] * 90 + [1] * 10)
    x = torch.randn(100, 1, generator=draw)
    labels = (x[:, 0] > torch.where(domain == 1, 0.8, -0.8)).long()
    batch = {"source": Batch(x, torch.arange(100), labels, domains=torch.eye(2, dtype=torch.bool)[domain])}

    def worst(rate: float) -> float:
        torch.manual_seed(0)
        method, student = GroupDro(rate=rate), Observed(nn.Sequential(nn.Identity(), nn.Linear(1, 2)))
        method.build(student, CLASSES, student.spec((1,)), Spec(0))
        optimiser = torch.optim.SGD(method.parameters(), lr=0.5)
        for _ in range(400):
            optimiser.zero_grad()
            (update,) = method(batch, {})
            if rate < 1e-6:  # its weights stay equal: make them those of the samples
                update = update._replace(losses={"all": nn.functional.cross_entropy(student(x).logits, labels)})
            sum(update.losses.values()).backward()
            optimiser.step()
        right = (student(x).logits.argmax(1) == labels).float()
        return min(float(right[domain == k].mean()) for k in (0, 1))

    assert worst(0.05) > worst(1e-9) + 0.1


def test_a_weight_that_has_vanished_grows_again() -> None:
    q = torch.tensor([0.5, 0.5])
    for _ in range(2000):
        q = moved_weights(q, torch.tensor([50.0, 0.0]), 0.1)
    for _ in range(2000):
        q = moved_weights(q, torch.tensor([0.0, 50.0]), 0.1)
    assert q.isfinite().all() and q[1] > 0.99
