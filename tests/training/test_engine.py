"""A step: parts change nothing but the memory, updates follow each other, layout and compiling agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
import torch
from small_world import CLASSES, World, settings
from torch import Tensor, nn

from limbeck.core import Batch, Knowledge, Spec, UsageError
from limbeck.methods import Method, Stream, Update
from limbeck.methods.distill import Distill
from limbeck.methods.source_only import SourceOnly
from limbeck.networks import Observed
from limbeck.networks.cnn import Cnn
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl
from limbeck.training._engine import Engine, Step


def step(n: int = 12, m: int = 12) -> Step:
    draw = torch.Generator().manual_seed(5)
    source = Batch(torch.randn(n, 5, generator=draw), torch.arange(n), torch.arange(n) % 3)
    target = Batch(torch.randn(m, 5, generator=draw), torch.arange(m))
    said = {"target": Knowledge(torch.randn(m, 3, generator=draw), {"inner": torch.randn(m, 7, generator=draw)})}
    return Step({"source": source, "target": target}, said)


def engine(method: Method, network: nn.Module, shape: tuple[int, ...] = (5,), **changes: Any) -> Engine:
    student = Observed(network)
    method.build(student, CLASSES, student.spec(shape), Spec(3))
    method.train()
    return Engine(method, settings(optimiser="sgd", momentum=0.0, weight_decay=0.0, warmup=0.0, **changes), seed=0)


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("sizes", [(12, 12), (12, 24), (11, 11), (12, 10), (7, 12)])
def test_a_batch_in_parts_gives_the_same_weights_and_losses(parts: int, sizes: tuple[int, int]) -> None:
    """Divided by the number of parts once, not by nothing and not twice, and every sample counts alike."""
    found = []
    for accumulate in (1, parts):
        run = engine(Distill([CrossEntropy(), Kl()]), plain(), batch_size=12, accumulate=accumulate, clip=0.5)
        losses = list(run.update(step(*sizes), 0, 0.0))
        found.append((losses, [value.clone() for value in run.method.student.parameters()]))
    (whole,), (cut,) = found[0][0], found[1][0]
    assert whole.keys() == cut.keys() == {"loss", "loss/cross_entropy", "loss/kl"}
    for name, value in whole.items():
        assert torch.allclose(value, cut[name], atol=1e-6), name
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert torch.allclose(one, other, atol=1e-6)


class Watched(SourceOnly):
    """Notes when the graph of a part is made, and when it is used up."""

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        (update,) = super().updates(batches, knowledge)
        told.append("made")
        update.losses["hard_labels"].register_hook(lambda gradient: told.append("used"))
        return [update]


told: list[str] = []


def test_a_part_waits_for_the_one_before_it() -> None:
    """Else all graphs would be in memory at once, and parts would save nothing."""
    told.clear()
    list(engine(Watched(), plain(), batch_size=12, accumulate=3).update(step(), 0, 0.0))
    assert told == ["made", "used"] * 3


def test_parts_hold_every_sample_with_its_knowledge_once() -> None:
    whole = step(12, 20)
    parts = whole.split(4)
    for name, batch in whole.batches.items():
        assert torch.cat([part.batches[name].inputs for part in parts]).equal(batch.inputs)
        assert torch.cat([part.batches[name].index for part in parts]).equal(batch.index)
    assert torch.cat([part.batches["source"].labels for part in parts]).equal(whole.batches["source"].labels)
    assert all(part.batches["target"].known is None for part in parts)
    said = whole.knowledge["target"]
    assert torch.cat([part.knowledge["target"].scores() for part in parts]).equal(said.scores())
    assert torch.cat([part.knowledge["target"].feature("inner") for part in parts]).equal(said.feature("inner"))


def test_accumulation_that_does_not_divide_the_batch_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'accumulate' of training must be a divisor of 'batch_size', 8\. Got 3"):
        settings(accumulate=3)


class Alternating(Method):
    """First the body and the head, then the head alone, on what the first update left."""

    streams: ClassVar[tuple[Stream, ...]] = ("source",)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> Iterator[Update]:
        for group in ("student", "head"):
            yield Update({"own": self._loss(batches["source"])}, group)

    def _loss(self, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(self.student(batch.inputs).logits, batch.labels)

    def parameter_groups(self) -> dict[str, list[dict[str, Any]]]:
        network = self.student.network
        head = list(network[2].parameters())
        return {
            "student": [{"params": list(network.parameters()), "scale": 1.0}],
            "head": [{"params": head, "scale": 1.0}],
        }


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_update_is_computed_after_the_step_before_it(accumulate: int) -> None:
    """Two groups that share a graph: the second loss and its gradient are those of the moved weights."""
    run = engine(Alternating(), plain(), batch_size=12, accumulate=accumulate)
    losses = list(run.update(step(), 0, 0.0))
    network, batch = plain(), step().batches["source"]
    expected = []
    for moved in (list(network.parameters()), list(network[2].parameters())):
        loss = nn.functional.cross_entropy(network(batch.inputs), batch.labels)
        expected.append(loss.detach())
        for parameter, gradient in zip(moved, torch.autograd.grad(loss, moved), strict=True):
            parameter.data -= 1e-2 * gradient
    assert [float(found["loss"]) for found in losses] == pytest.approx([float(loss) for loss in expected], abs=1e-6)
    for one, other in zip(run.method.student.parameters(), network.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def images(n: int = 12) -> Step:
    draw = torch.Generator().manual_seed(5)
    return Step({"source": Batch(torch.randn(n, 3, 8, 8, generator=draw), torch.arange(n), torch.arange(n) % 3)}, {})


def trained(**changes: Any) -> tuple[Engine, list[Tensor]]:
    torch.manual_seed(0)
    network = Cnn(widths=[4, 8], hidden=6)
    network.build((3, 8, 8), 3)
    run = engine(SourceOnly(), network, (3, 8, 8), **changes)
    for number in range(3):
        list(run.update(run.place(images()), number, number / 3))
    return run, [value.detach() for value in run.method.student.network.state_dict().values()]


def test_channels_last_changes_the_layout_alone() -> None:
    (last, found), (_, expected) = trained(layout="channels_last"), trained(layout="contiguous")
    placed = last.place(images()).batches["source"]
    assert placed.inputs.is_contiguous(memory_format=torch.channels_last)
    weight = last.method.student.network.body[4].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_a_compiled_student_learns_the_same_and_evaluates_eagerly() -> None:
    (run, found), (_, expected) = trained(compile=True), trained(compile=False)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    outputs = run.method.student(images().batches["source"].inputs)
    assert outputs.feature().shape == (12, 6)


def test_a_world_trains_with_accumulation(tmp_path) -> None:
    assert World().train(tmp_path, SourceOnly, accumulate=4)["steps"] == 15
