"""Weight averaging: the arithmetic mean of the steps, statistics that are those of the samples, and when it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_world import CLASSES, WIDTH, World, network, settings

from limbeck.core import Spec
from limbeck.core.weights import read_weights
from limbeck.distances.coral import Coral
from limbeck.methods.weight_average import WeightAverage
from limbeck.networks import Observed
from limbeck.objectives import Term
from limbeck.objectives.align import Align
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.training import train

WORLD = World()


def built(**more) -> WeightAverage:
    method, student = WeightAverage(**more), Observed(network(3))
    method.build(student, CLASSES, student.spec((WIDTH,)), Spec(0))
    return method


def walked(method: WeightAverage, steps: int) -> list[dict[str, torch.Tensor]]:
    """The student's weights after each of so many random steps."""
    said = []
    for step in range(steps):
        method.at(step / steps)
        with torch.no_grad():
            for value in method.student.parameters():
                value.add_(torch.randn(value.shape))
        said.append({name: value.detach().clone() for name, value in method.student.named_parameters()})
        method.after_update()
    return said


@pytest.mark.parametrize(("since", "first"), [(0.0, 0), (0.5, 5), (0.75, 8)])
def test_it_is_the_arithmetic_mean_of_the_steps_from_there_on(since: float, first: int) -> None:
    method = built(since=since)
    said = walked(method, 10)
    for name, value in method.average.named_parameters():
        expected = torch.stack([state[name].double() for state in said[first:]]).mean(0)
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)


def test_with_a_decay_it_forgets() -> None:
    method = built(since=0.0, decay=0.8)
    said = walked(method, 9)
    kept = [min(0.8, t / (t + 1)) for t in range(9)]
    for name, value in method.average.named_parameters():
        expected = torch.zeros_like(value, dtype=torch.float64)
        for share, state in zip(kept, said, strict=True):
            expected = share * expected + (1 - share) * state[name].double()
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)


def test_before_it_begins_the_student_is_evaluated_as_it_is() -> None:
    method = built(since=0.9)
    walked(method, 5)
    method.before_evaluation({})  # reads nothing
    for name, value in method.student.state_dict().items():
        assert value.equal(method.average.state_dict()[name])


@pytest.mark.parametrize("reads_target", [False, True])
def test_statistics_are_those_of_the_training_samples_under_the_averaged_weights(reads_target: bool) -> None:
    method = built(objectives=[CrossEntropy(), *([Align(Coral())] if reads_target else [])])
    walked(method, 6)
    views = WORLD.views()
    method.train()
    method.before_evaluation(views)
    source, target = (views[name].inputs[:34].double() for name in ("source", "target"))
    first, norm = method.average.network[0], method.average.network[1]
    reached = [x @ first.weight.double().T + first.bias.double() for x in [source, target][: 1 + reads_target]]
    mean = sum(x.mean(0) for x in reached) / len(reached)
    variance = sum(x.var(0) for x in reached) / len(reached)
    torch.testing.assert_close(norm.running_mean.double(), mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var.double(), variance, rtol=1e-4, atol=1e-4)
    assert norm.momentum == 0.1 and not norm.training and method.student.training


@pytest.mark.parametrize("statistics", ["joint", "target"])
def test_statistics_are_of_the_batches_that_the_student_is_evaluated_by(statistics: str) -> None:
    method = built(objectives=[CrossEntropy(), Align(Coral())], statistics=statistics)
    walked(method, 6)
    views = WORLD.views()
    views["target"] = replace(views["target"], inputs=views["target"].inputs + 10)
    method.before_evaluation(views)
    first, norm = method.average.network[0], method.average.network[1]
    rows = {name: views[name].splits["train"] for name in ("source", "target")}
    rows["target"] = torch.cat([views["target"].splits["labelled"], rows["target"]])
    assert len(rows["source"]) == len(rows["target"])
    names = ["source", "target"] if statistics == "joint" else ["target"]
    inputs = torch.cat([views[name].inputs[rows[name]] for name in names]).double()
    reached = inputs @ first.weight.double().T + first.bias.double()
    torch.testing.assert_close(norm.running_mean.double(), reached.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(norm.running_var.double(), reached.var(0), rtol=1e-4, atol=1e-3)


def test_the_student_that_trains_is_not_touched_and_the_average_is_what_is_kept(tmp_path: Path) -> None:
    method = WORLD.built(WeightAverage([CrossEntropy()], since=0.3))[0]
    job = WORLD.job(tmp_path, lambda: WeightAverage([Term(CrossEntropy())], since=0.3), settings(epochs=1))
    plain = WORLD.job(tmp_path / "plain", lambda: WeightAverage([CrossEntropy()], since=0.99), settings(epochs=1))
    for made in (job, plain):
        train(made)
    trained, other = (made.method.student.network.state_dict() for made in (job, plain))
    assert all(value.equal(other[name]) for name, value in trained.items())
    weights, _ = read_weights(tmp_path / "weights.safetensors")
    assert weights.keys() == method.evaluated.network.state_dict().keys()
    assert not weights["0.weight"].equal(trained["0.weight"])
    assert weights["0.weight"].equal(job.method.average.network.state_dict()["0.weight"])
