"""Who moves in which update of a step, the discrepancy's closed forms, and what adaptation brings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from small_world import CLASSES, VALUES, WIDTH, network
from torch import Tensor
from turned_blobs import accuracy

from limbeck.core import Batch, Knowledge, Spec, UsageError
from limbeck.methods.mcd import Mcd, discrepancy
from limbeck.methods.source_only import SourceOnly
from limbeck.networks import Observed
from limbeck.objectives import Term
from limbeck.objectives.kl import Kl

draw = torch.Generator().manual_seed(0)
FIRST, SECOND = (3 * torch.randn(7, 4, generator=draw) for _ in range(2))


def built(**settings) -> Mcd:
    torch.manual_seed(0)
    method = Mcd(**settings)
    student = Observed(network(3), method.student_layers())
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(3))
    return method


def batches() -> dict[str, Batch]:
    torch.manual_seed(0)
    source = Batch(torch.randn(8, WIDTH), torch.arange(8), torch.arange(8) % 3)
    return {"source": source, "target": Batch(torch.randn(6, WIDTH) + 1, torch.arange(6))}


def weights(method: Mcd) -> dict[str, dict[str, Tensor]]:
    """Copies of the parameters of the body and of the heads."""
    heads = {f"student.network.{method.student.head}.weight", f"student.network.{method.student.head}.bias"}
    heads |= {"second.weight", "second.bias"}
    found = {name: parameter.detach().clone() for name, parameter in method.named_parameters()}
    return {
        "heads": {name: value for name, value in found.items() if name in heads},
        "body": {name: value for name, value in found.items() if name not in heads},
    }


def test_is_the_mean_difference_of_probabilities() -> None:
    p, q = softmax(FIRST.double().numpy(), axis=1), softmax(SECOND.double().numpy(), axis=1)
    assert discrepancy(FIRST, SECOND).item() == pytest.approx(np.abs(p - q).sum() / (7 * 4), rel=1e-6)
    assert discrepancy(FIRST, FIRST + 5.0).item() == pytest.approx(0.0, abs=1e-6)
    assert discrepancy(1e3 * torch.eye(4), 1e3 * torch.eye(4).flip(0)).item() == pytest.approx(2 / 4)


def test_each_update_moves_its_own_part_and_leaves_the_other_to_the_bit() -> None:
    method = built(steps=2).train()
    optimisers = {name: torch.optim.Adam(groups, lr=0.05) for name, groups in method.parameter_groups().items()}
    moved, groups = [], []
    for update in method(batches(), {}):
        groups.append(update.group)
        before = weights(method)
        optimisers[update.group].zero_grad()
        sum(update.losses.values()).backward()
        optimisers[update.group].step()
        after = weights(method)
        moved.append(
            {part for part in before if any(not v.equal(after[part][name]) for name, v in before[part].items())}
        )
    assert moved == [{"body", "heads"}, {"heads"}, {"body"}, {"body"}]
    assert groups == ["student", "heads", "body", "body"]  # an optimiser of its own each


def test_the_heads_are_driven_apart_and_the_body_brings_them_together() -> None:
    method, seen = built().eval(), []  # without dropout each update can be compared with the one before
    optimisers = {name: torch.optim.SGD(groups, lr=0.5) for name, groups in method.parameter_groups().items()}
    found = batches()
    for update in method(found, {}):
        before = method._discrepancy(method.student(found["target"].inputs))
        optimisers[update.group].zero_grad()
        loss = update.losses["disagreement"] if update.group == "heads" else sum(update.losses.values())
        loss.backward()
        optimisers[update.group].step()
        seen.append((method._discrepancy(method.student(found["target"].inputs)) - before).item())
    assert seen[1] > 0
    assert all(change < 0 for change in seen[2:]) and len(seen) == 6


def test_the_first_update_learns_the_objectives_too_and_no_other_does() -> None:
    method = built(objectives=[Term(Kl(), 0.5)], steps=1).eval()
    assert method.requires() == {"teacher"}
    names = [set(update.losses) for update in method(batches(), {"target": Knowledge(torch.randn(6, 3))})]
    assert names == [
        {"hard_labels", "hard_labels_second", "kl"},
        {"hard_labels_heads", "hard_labels_second_heads", "disagreement"},
        {"discrepancy"},
    ]


def test_the_evaluated_student_has_the_original_size() -> None:
    method = built()
    assert {*method.evaluated.network.state_dict()} == {*network(3).state_dict()}
    heads = [method.head.weight, method.second.weight]
    assert not heads[0].equal(heads[1])  # equal heads would never disagree


def test_values_to_regress_are_refused() -> None:
    method, student = Mcd(), Observed(network(1))
    with pytest.raises(UsageError, match="mcd compares class probabilities"):
        method.build(student, VALUES, student.spec((WIDTH,)), Spec(0))
    with pytest.raises(UsageError, match="The 'steps' of mcd must be at least 1"):
        Mcd(steps=0)


@pytest.mark.slow
def test_it_helps_on_turned_blobs() -> None:
    alone = [accuracy(SourceOnly(), seed) for seed in range(3)]
    adapted = [accuracy(Mcd(steps=2), seed) for seed in range(3)]
    assert np.mean(adapted) > np.mean(alone) + 0.03
