"""Alignment between sources: the mean over pairs by the plain distances, and domains that a batch lacks."""

from __future__ import annotations

import itertools

import pytest
import torch

from limbeck.core import Batch, Knowledge, Outputs, UsageError
from limbeck.distances.a_distance import ADistance
from limbeck.distances.coral import Coral
from limbeck.distances.mmd import Mmd
from limbeck.objectives.align_sources import AlignSources, between_domains

DOMAIN = torch.tensor([0, 1, 2, 2, 0, 1, 1, 2, 0, 0, 2])
MEMBERS = torch.eye(3, dtype=torch.bool)[DOMAIN]


def features() -> torch.Tensor:
    return torch.randn(11, 4, generator=torch.Generator().manual_seed(0)) * (1 + DOMAIN[:, None])


@pytest.mark.parametrize("distance", [Coral(), Mmd(scale=1.5)])
def test_it_is_the_mean_over_the_pairs(distance) -> None:
    x = features().requires_grad_()
    found = between_domains(x, MEMBERS, distance)
    groups = [x[k == DOMAIN] for k in range(3)]
    expected = torch.stack([distance(a, b) for a, b in itertools.combinations(groups, 2)]).mean()
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    (one,), (other,) = torch.autograd.grad(found, x), torch.autograd.grad(expected, x)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_domains_with_too_few_samples_count_nothing() -> None:
    x = features()[:7].requires_grad_()
    domain = torch.tensor([0, 0, 1, 1, 1, 2, 0])
    members = torch.eye(5, dtype=torch.bool)[domain]  # one sample of the third, none of the last two
    found = between_domains(x, members, Coral())
    assert float(found) == pytest.approx(float(Coral()(x[domain == 0], x[domain == 1])), rel=1e-4)
    found.backward()
    assert x.grad.isfinite().all() and x.grad[5].abs().max() < 1e-12 < x.grad[0].abs().max()
    alone = between_domains(x, members[:, :1].expand(7, 2) & False, Coral())
    assert float(alone) == 0


def test_it_reads_the_source_and_its_domains() -> None:
    objective = AlignSources(Coral())
    outputs = Outputs(torch.zeros(11, 2), {"features": features()})
    batch = Batch(torch.zeros(11, 1), torch.arange(11), domains=MEMBERS)
    assert float(objective(outputs, Knowledge(), batch)) == pytest.approx(
        float(between_domains(features(), MEMBERS, Coral()))
    )
    with pytest.raises(UsageError, match="one source domain"):
        objective(outputs, Knowledge(), Batch(torch.zeros(11, 1), torch.arange(11)))
    with pytest.raises(UsageError, match=r"at least 4 samples\. Got 3"):
        between_domains(features()[:3], MEMBERS[:3], Coral())
    with pytest.raises(UsageError, match=r"must regroup points.*Got a_distance"):
        AlignSources(ADistance())
