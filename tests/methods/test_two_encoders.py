"""Which body reads which samples, what they share, and what the tie pulls."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from small_world import CLASSES, WIDTH, network
from turned_blobs import accuracy

from limbeck.core import Batch, Knowledge, Spec, UsageError
from limbeck.distances.coral import Coral
from limbeck.methods.source_only import SourceOnly
from limbeck.methods.two_encoders import TwoEncoders
from limbeck.networks import Observed
from limbeck.objectives import Term
from limbeck.objectives.align import Align
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl


def built(objectives=None, **settings) -> TwoEncoders:
    torch.manual_seed(0)
    method = TwoEncoders(objectives or [CrossEntropy(), Align(Coral(), layer="2")], **settings)
    student = Observed(network(3), method.student_layers())
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(3))
    return method


def batches() -> dict[str, Batch]:
    torch.manual_seed(0)
    source = Batch(torch.randn(8, WIDTH), torch.arange(8), torch.arange(8) % 3)
    return {"source": source, "target": Batch(torch.randn(6, WIDTH) + 1, torch.arange(6))}


def test_the_bodies_start_equal_and_the_head_is_one() -> None:
    method = built()
    pairs = zip(method.source_student.named_parameters(), method.student.parameters(), strict=True)
    for (name, own), other in pairs:
        assert own.equal(other)
        assert (own is other) == name.startswith("network.6")
    assert (method.on_source, method.evaluated) == (method.source_student, method.student)
    counted = sum(parameter.numel() for parameter in method.parameters())
    whole = sum(parameter.numel() for parameter in method.student.parameters())
    assert counted == 2 * whole - sum(parameter.numel() for parameter in method.student.network[6].parameters())


def test_each_domain_moves_its_own_body_and_its_own_statistics() -> None:
    method = built([CrossEntropy(), Kl()], tie=0.0).train()
    found = batches()
    said = {"target": Knowledge(torch.randn(6, 3))}
    (update,) = method(found, said)
    own = [p for p in method.source_student.parameters() if all(p is not q for q in method.student.parameters())]
    body = [p for p in method.student.parameters() if all(p is not q for q in method.source_student.parameters())]
    for name, moves, rests in (("cross_entropy", own, body), ("kl", body, own)):
        gradients = torch.autograd.grad(update.losses[name], [*moves, *rests], retain_graph=True, allow_unused=True)
        assert all(gradient is not None for gradient in gradients[: len(moves)])
        assert all(gradient is None for gradient in gradients[len(moves) :])
    for encoder, stream in ((method.source_student, "source"), (method.student, "target")):
        norm, layer = encoder.network[1], encoder.network[0]
        torch.testing.assert_close(norm.running_mean, 0.1 * layer(found[stream].inputs).mean(0).detach())
    assert method.evaluated is method.student


def test_inner_layers_are_observed_in_both() -> None:
    outputs = built().outputs(batches())
    assert outputs["source"].feature("2").shape == (8, 8)
    assert outputs["target"].feature("2").shape == (6, 8)


def test_the_tie_is_the_squared_distance_of_the_bodies() -> None:
    method = built(tie=0.5).eval()
    assert method(batches(), {})[0].losses["tie"].item() == 0
    with torch.no_grad():
        for parameter in method.student.parameters():
            parameter += 0.1
    numbers = sum(p.numel() for name, p in method.student.named_parameters() if not name.startswith("network.6"))
    assert method(batches(), {})[0].losses["tie"].item() == pytest.approx(0.25 * 0.01 * numbers, rel=1e-4)
    assert "tie" not in built(tie=0.0)(batches(), {})[0].losses


def test_a_copy_trains_as_the_original_does() -> None:
    """A deep copy, and a state that is loaded, keep the one head one."""
    method = built()
    again = copy.deepcopy(method)
    again.load_state_dict(method.state_dict())
    assert len([*again.parameters()]) == len([*method.parameters()])
    (first,), (second,) = (m.eval()(batches(), {}) for m in (method, again))
    assert all(first.losses[name].equal(second.losses[name]) for name in first.losses)


def test_terms_that_leave_an_encoder_unused_are_refused() -> None:
    for objectives in ([CrossEntropy()], [Kl()]):
        with pytest.raises(UsageError, match="each of which has an encoder"):
            TwoEncoders(objectives)
    with pytest.raises(UsageError, match="The 'tie' of two_encoders must be ≥ 0"):
        TwoEncoders([CrossEntropy(), Kl()], tie=-1.0)


@pytest.mark.slow
def test_it_helps_on_turned_blobs() -> None:
    alone = [accuracy(SourceOnly(), seed) for seed in range(4)]
    adapted = [accuracy(TwoEncoders([CrossEntropy(), Term(Align(Coral()), 10.0)]), seed) for seed in range(4)]
    assert np.mean(adapted) > np.mean(alone) + 0.04
