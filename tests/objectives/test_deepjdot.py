"""The coupled cost against SciPy's assignment and its linear programme."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog
from scipy.special import log_softmax

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, SealedLabelsError
from limbeck.distances import coupling
from limbeck.objectives.deepjdot import Deepjdot, deepjdot

draw = torch.Generator().manual_seed(0)
SOURCE, TARGET = torch.randn(6, 3, generator=draw), torch.randn(8, 3, generator=draw) + 1
LOGITS, LABELS = 2 * torch.randn(8, 4, generator=draw), torch.arange(6) % 4


def costs(m: int, alpha: float) -> np.ndarray:
    x, y = SOURCE.double().numpy(), TARGET[:m].double().numpy()
    wrong = -log_softmax(LOGITS[:m].double().numpy(), axis=1)[:, LABELS.numpy()].T
    return alpha * ((x[:, None] - y[None]) ** 2).sum(2) + wrong


@pytest.mark.parametrize("alpha", [0.001, 1.0, 50.0])
def test_equal_sizes_are_the_best_assignment(alpha: float) -> None:
    cost = costs(6, alpha)
    rows, columns = linear_sum_assignment(cost)
    found = deepjdot(SOURCE, TARGET[:6], LABELS, LOGITS[:6], alpha)
    assert found.item() == pytest.approx(cost[rows, columns].mean(), rel=1e-5)
    assert np.argmax(coupling(torch.from_numpy(cost)).numpy(), 1).tolist() == columns.tolist()


def test_unequal_sizes_are_the_linear_programme() -> None:
    cost = costs(8, 0.5)
    margins = np.vstack([np.kron(np.eye(6), np.ones(8)), np.kron(np.ones(6), np.eye(8))])
    best = linprog(cost.ravel(), A_eq=margins, b_eq=np.r_[np.full(6, 1 / 6), np.full(8, 1 / 8)]).fun
    assert deepjdot(SOURCE, TARGET, LABELS, LOGITS, 0.5).item() == pytest.approx(best, rel=1e-5)
    plan = coupling(torch.from_numpy(cost))
    assert np.allclose(plan.sum(1), 1 / 6) and np.allclose(plan.sum(0), 1 / 8)


def test_gradients_reach_both_domains_and_the_predictions() -> None:
    given = [x.double().requires_grad_() for x in (SOURCE, TARGET, LOGITS)]
    assert torch.autograd.gradcheck(lambda x, y, z: deepjdot(x, y, LABELS, z, 0.5), given)


def test_reads_the_labels_of_the_source_alone() -> None:
    outputs = Outputs(torch.cat([torch.zeros(6, 4), LOGITS]), {FEATURES: torch.cat([SOURCE, TARGET])}, 6)
    inputs, index = torch.zeros(14, 1), torch.arange(14)
    found = Deepjdot(0.5)(outputs, Knowledge(), Batch(inputs, index, LABELS, 6))
    assert found.equal(deepjdot(SOURCE, TARGET, LABELS, LOGITS, 0.5))
    with pytest.raises(SealedLabelsError):
        Deepjdot()(outputs, Knowledge(), Batch(inputs, index, None, 6))
