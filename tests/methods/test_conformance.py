"""Every method keeps the contract of its room: found by discovery, in every form that its signature allows."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_world import KilledError, World, methods, settings
from torch import Tensor

from limbeck.core import Batch, Knowledge, SealedLabelsError
from limbeck.core.weights import load_weights, read_weights
from limbeck.methods import Method, Update
from limbeck.trackers import Tracker
from limbeck.training import predict, train
from limbeck.training._streams import Reading, streams_of

ALL = list(methods())
FOUND = [found for found in ALL if not found[2]().closed_form]
SOLVED = [found for found in ALL if found[2]().closed_form]
CLOSED = pytest.mark.parametrize(("world", "make"), [found[1:] for found in SOLVED], ids=[found[0] for found in SOLVED])
EACH = pytest.mark.parametrize(("world", "make"), [found[1:] for found in FOUND], ids=[found[0] for found in FOUND])
FORMS_APART = pytest.mark.parametrize(
    ("world", "make"),
    [pytest.param(*found[1:], id=found[0], marks=() if "-0-" in found[0] else pytest.mark.slow) for found in FOUND],
)
"""A method as its signature has it, and its other forms among the slow tests."""
Step = tuple[dict[str, Batch], dict[str, Knowledge]]


def steps(world: World, method: Method, count: int = 3) -> list[Step]:
    opened = ("train",) if "target_labels" in method.requires() else ()
    streams = streams_of(method.reads(), world.views(opened), Reading(8, 0, world.stores(method)))
    read = [{name: samples.batch(step) for name, samples in streams.items()} for step in range(count)]
    return [
        ({n: batch for n, (batch, _) in found.items()}, {n: said for n, (_, said) in found.items() if said is not None})
        for found in read
    ]


def optimisers(method: Method) -> dict[str, torch.optim.Optimizer]:
    return {name: torch.optim.SGD(groups, lr=0.05) for name, groups in method.parameter_groups().items()}


def take(method: Method, step: Step, seed: int) -> dict[str, Tensor]:
    """One step as a user's own loop would take it; the losses."""
    torch.manual_seed(seed)
    method.train()
    method.at(seed / 10)
    groups, losses = optimisers(method), {}
    for update in method(*step):
        groups[update.group].zero_grad()
        sum(update.losses.values()).backward()
        groups[update.group].step()
        losses |= {f"{update.group}/{name}": value.detach() for name, value in update.losses.items()}
    method.after_update()
    return losses


@EACH
def test_updates_are_finite_losses_of_known_groups(world: World, make: Callable[[], Method]) -> None:
    method, _ = world.built(make())
    method.train()
    for batches, knowledge in steps(world, method):
        updates = method(batches, knowledge)
        updates = list(updates)
        assert updates
        for update in updates:
            assert isinstance(update, Update) and update.losses
            assert update.group in method.parameter_groups()
            assert all(loss.shape == () and loss.isfinite() for loss in update.losses.values())
            assert sum(update.losses.values()).requires_grad


@EACH
def test_what_should_train_moves_and_nothing_else_does(world: World, make: Callable[[], Method]) -> None:
    method, _ = world.built(make())
    trains = {id(p) for groups in method.parameter_groups().values() for group in groups for p in group["params"]}
    assert trains
    before = copy.deepcopy(dict(method.named_parameters()))
    for number, step in enumerate(steps(world, method)):
        take(method, step, number + 1)
    moved = {name for name, parameter in method.named_parameters() if not parameter.equal(before[name])}
    averaged = {id(p) for p in method.evaluated.parameters()} - {id(p) for p in method.student.parameters()}
    fixed = {name for name, parameter in method.named_parameters() if id(parameter) not in trains | averaged}
    assert moved
    assert not moved & fixed
    assert {id(p) for p in method.parameters() if p.requires_grad} == trains


@EACH
def test_all_that_is_kept_between_steps_is_in_the_state(world: World, make: Callable[[], Method]) -> None:
    method, _ = world.built(make())
    three = steps(world, method)
    for number in (0, 1):
        take(method, three[number], number)
    again, _ = world.built(make(), seed=7)  # with other weights at first
    again.load_state_dict(copy.deepcopy(method.state_dict()))
    first, second = take(method, three[2], 2), take(again, three[2], 2)
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    torch.testing.assert_close(method.state_dict(), again.state_dict(), rtol=0, atol=0, equal_nan=True)


@EACH
def test_the_evaluated_student_gives_outputs_in_evaluation_mode(world: World, make: Callable[[], Method]) -> None:
    method, _ = world.built(make())
    inputs = world.domain("target").inputs
    method.train()
    modes = [module.training for module in method.modules()]
    found = predict(method.evaluated, inputs)
    assert found.shape == (60, world.task.outputs)
    assert found.equal(predict(method.evaluated, inputs, batch_size=7)) or torch.allclose(
        found, predict(method.evaluated, inputs, batch_size=7), atol=1e-6
    )
    assert modes == [module.training for module in method.modules()]
    assert any(modes)


@EACH
def test_it_reads_no_sealed_label(world: World, make: Callable[[], Method]) -> None:
    """Taken away from the target, labels are missed only by a method that says that it opens them."""
    method, _ = world.built(make())
    method.train()
    batches, knowledge = steps(world, method, 1)[0]
    blind = {name: Batch(b.inputs, b.index) if name == "target" else b for name, b in batches.items()}
    if "target_labels" in method.requires():
        with pytest.raises(SealedLabelsError):
            method(blind, knowledge)
    else:
        assert method(blind, knowledge)


@EACH
def test_it_says_what_it_reads(world: World, make: Callable[[], Method]) -> None:
    method = make()
    assert set(method.reads()) <= {"source", "labelled", "target"} and method.reads()
    assert method.requires() <= {"teacher", "start", "domains", "target_labels"}
    assert method.knowledge_streams() <= set(method.reads())
    assert ("teacher" in method.requires()) == bool(method.knowledge_streams())


class Lines(Tracker):
    """Keeps the log in memory; kills at the line of an epoch."""

    def __init__(self, fatal_epoch: int | None = None):
        self.fatal_epoch = fatal_epoch
        self.lines: list[dict[str, float | int | str]] = []

    def open(self, folder, step) -> None:
        self.lines = [line for line in self.lines if line["step"] <= step]

    def log(self, values, step) -> None:
        if values["epoch"] == self.fatal_epoch:
            self.fatal_epoch = None
            raise KilledError
        self.lines.append(
            {"step": step, **{name: v for name, v in values.items() if name not in ("seconds", "data_wait")}}
        )

    def close(self) -> None:
        pass


def killed_at(step: int, steps_in_all: int) -> Callable[[float], None]:
    def tick(share: float) -> None:
        if round(share * steps_in_all) == step:
            raise KilledError

    return tick


@FORMS_APART
def test_a_killed_training_goes_on_to_the_same_bits(
    world: World, make: Callable[[], Method], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # the disk survives this kill
    training = settings(checkpoint_seconds=1e-9)
    whole, broken = Lines(), Lines(fatal_epoch=2)
    done = train(world.job(tmp_path / "whole", make, training), [whole])
    kills = torch.randperm(done["steps"] - 1, generator=torch.Generator().manual_seed(0))[:2].sort().values + 1
    for kill in [*kills.tolist(), None, None]:
        tick = killed_at(kill, done["steps"]) if kill else lambda share: None
        try:
            train(world.job(tmp_path / "broken", make, training), [broken], tick)
        except KilledError:
            assert not (tmp_path / "broken" / "done.json").exists()
        else:
            break
    assert broken.fatal_epoch is None
    assert whole.lines == broken.lines
    for name in ("weights.safetensors", "history.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes(), name
    assert not (tmp_path / "broken" / "checkpoint.pt").exists()


@CLOSED
def test_a_closed_form_needs_no_target_label_and_keeps_the_sizes_that_it_was_built_with(
    world: World, make: Callable[[], Method]
) -> None:
    method, _ = world.built(make())
    sizes = {name: value.shape for name, value in method.evaluated.state_dict().items()}
    views = world.views()
    method.fit(views["source"], replace(views["target"], opened={}))
    assert method.updates({}, {}) == []
    assert {name: value.shape for name, value in method.evaluated.state_dict().items()} == sizes
    assert all(value.isfinite().all() for value in method.evaluated.state_dict().values())
    assert predict(method.evaluated, views["target"].inputs).std(0).min() > 0


@CLOSED
def test_a_closed_form_leaves_the_same_files_again(world: World, make: Callable[[], Method], tmp_path: Path) -> None:
    done, logs = {}, {"first": Lines(), "second": Lines()}
    for name, log in logs.items():
        done[name] = train(world.job(tmp_path / name, make), [log])
        done[name].pop("seconds")
    assert done["first"] == done["second"] and done["first"]["steps"] == 0
    assert len(logs["first"].lines) == 1 and logs["first"].lines == logs["second"].lines
    for name in ("weights.safetensors", "history.npz"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    method, _ = world.built(make())
    state, about = read_weights(tmp_path / "first" / "weights.safetensors")
    load_weights(method.evaluated.network, state, "row")
    expected, _ = world.built(make())
    expected.fit(*world.views().values())
    inputs = world.domain("target").inputs
    assert about == {"by": "test"}
    torch.testing.assert_close(predict(method.evaluated, inputs), predict(expected.evaluated, inputs))
