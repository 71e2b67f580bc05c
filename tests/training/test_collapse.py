"""Trainings that really collapse: what is seen of it, what is done, and that a sound one is left alone."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from small_world import WIDTH, KilledError
from torch import Tensor, nn

from limbeck.core import Batch, Domain, Knowledge, Outputs, RunError, Task
from limbeck.core.weights import read_weights
from limbeck.methods import Method, Stream, Update
from limbeck.methods.distill import Distill
from limbeck.networks import Observed
from limbeck.objectives import Objective, Schedule, Term
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.mean_squared_error import MeanSquaredError
from limbeck.trackers.jsonl import Jsonl
from limbeck.training import Job, Training, train

CLASSES = Task("classification", ("a", "b", "c"))
SETTINGS = Training(
    epochs=8,
    batch_size=20,
    optimiser="sgd",
    learning_rate=0.1,
    momentum=0.0,
    schedule="constant",
    warmup=0.0,
    precision="fp32",
    device="cpu",
)


UNTIMED = {"seconds": 0, "data_wait": 0}


class Swallow(Objective):
    """`mean −log p(class 0)` on the target: at its least, one class has swallowed the others."""

    samples = "target"

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Tensor:
        return -outputs.logits.float().log_softmax(1)[:, 0].mean()


class Dying(Distill):
    """Learns from the source and sees the target, until a step after which its last layer is dead."""

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")

    def __init__(self, objective: Objective, step: int = 12):
        super().__init__([objective])
        self.last, self.step = step, 0

    def after_update(self) -> None:
        self.step += 1
        if self.step > self.last:
            nn.init.zeros_(self.student.network[-1].weight)


class Explode(Method):
    """Learns from the source until a step from which its loss is no number."""

    streams: ClassVar[tuple[Stream, ...]] = ("source",)

    def __init__(self, step: int):
        super().__init__()
        self.last, self.step = step, 0

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        loss = nn.functional.cross_entropy(self.student(batches["source"].inputs).logits, batches["source"].labels)
        self.step += 1
        return [Update({"own": loss * (math.nan if self.step > self.last else 1.0)})]


def domain(role: Any, shares: tuple[float, ...], task: Task = CLASSES) -> Domain:
    """120 samples of classes that lie apart, the same in both domains but for their shares."""
    draw = np.random.default_rng(0 if role == "source" else 1)
    kinds = draw.choice(3, 120, p=shares)
    inputs = torch.from_numpy(draw.normal(size=(120, WIDTH)).astype(np.float32))
    inputs[:, :3] += 4 * torch.eye(3)[kinds]
    order = np.arange(120)
    splits = {"train": order[:60], "selection": order[60:100], "test": order[100:]}
    splits |= {"labelled": order[:0]} if role == "target" else {}
    return Domain(role, role, inputs, kinds if task.is_classification else inputs[:, 0].numpy(), task, splits)


def job(
    folder: Path, method: Method, shares: tuple[float, ...] = (0.3, 0.4, 0.3), task: Task = CLASSES, **changes: Any
):
    torch.manual_seed(0)
    student = Observed(nn.Sequential(nn.Linear(WIDTH, 8), nn.ReLU(), nn.Linear(8, task.outputs)))
    method.build(student, task, student.spec((WIDTH,)), student.spec((WIDTH,)))
    views = {"source": domain("source", (0.3, 0.4, 0.3), task).view(), "target": domain("target", shares, task).view()}
    settings = replace(SETTINGS, **changes)
    return Job("row", folder, method, views, {}, settings, 0, ever_better(), "later", {})


def ever_better() -> Callable[[Tensor, Tensor, Tensor], dict[str, float]]:
    """A validator that sees no collapse: it likes every checkpoint better than the one before."""
    count = itertools.count()
    return lambda source, labels, target, features: {"later": float(next(count))}


def swallowing(since: float = 0.5) -> Distill:
    """Learns the source, and from the middle on gives every target sample to one class, which needs the weights."""
    return Distill([CrossEntropy(), Term(Swallow(), Schedule(start=0.0, end=20.0, since=since, until=since + 0.01))])


def lines(folder: Path) -> list[dict[str, Any]]:
    if not (folder / "log.jsonl").exists():
        return []
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def trained(made: Job) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return train(made, [Jsonl()]), lines(made.folder)


def test_one_class_swallows_the_target_and_the_checkpoint_from_before_is_kept(tmp_path: Path) -> None:
    done, log = trained(job(tmp_path, swallowing()))
    largest = [line["diagnostics/largest"] for line in log]
    fell = next(number for number, share in enumerate(largest) if share > 0.95)
    assert 3 <= fell < 7 and max(largest[:fell]) < 0.7  # it really was sound, and really fell
    assert min(largest[fell:]) > 0.95 and done["epoch"] == fell  # epochs begin at 1: the last of the sound ones
    assert f"as from epoch {fell + 1} on: the checkpoint of epoch {done['epoch']} was kept" in done["collapse"]
    assert "in epoch 8 it predicts 'a' for" in done["collapse"]
    assert log[-1]["collapse"] == done["collapse"] and "collapse" not in log[-2]
    logits = np.load(tmp_path / "history.npz")["target_logits"][done["chosen"]]
    assert np.bincount(logits.argmax(1), minlength=3).max() < 0.7 * len(logits)


def test_it_stops_where_it_is_told_to(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"row has collapsed: in epoch \d it predicts 'a' .* 'training\.on_collapse'"):
        trained(job(tmp_path, swallowing(), on_collapse="stop"))
    assert not (tmp_path / "done.json").exists()


def test_it_goes_on_where_it_is_told_to_and_says_so(tmp_path: Path) -> None:
    done, log = trained(job(tmp_path, swallowing(), on_collapse="go_on"))
    assert len(log) == 8 and done["collapse"].endswith("is expected.")
    logits = np.load(tmp_path / "history.npz")["target_logits"][done["chosen"]]
    assert (logits.argmax(1) == 0).mean() < 0.7  # what has unlearnt the source is not taken, whatever its score
    _, plain = trained(job(tmp_path / "healthy", swallowing(0.98), on_collapse="go_on"))
    assert not any("collapse" in line for line in plain)


def test_what_has_collapsed_from_the_first_has_nothing_to_fall_back_to(tmp_path: Path) -> None:
    done, log = trained(job(tmp_path, Distill([Term(Swallow(), 60.0)])))
    assert len(log) == 8 and "as at every evaluation" in done["collapse"]


def test_a_target_of_nearly_one_class_is_no_collapse(tmp_path: Path) -> None:
    """The estimate of the class shares says so."""
    done, log = trained(job(tmp_path, Distill([CrossEntropy(), Term(Swallow(), 0.01)]), (1.0, 0.0, 0.0), epochs=30))
    assert log[-1]["diagnostics/largest"] > 0.95 and log[-1]["diagnostics/balance"] < 0.1
    assert done["collapse"] is None and done["epoch"] == 30


@pytest.mark.parametrize("task", [CLASSES, Task("regression", scale=1.0)])
def test_constant_outputs_are_seen(task: Task, tmp_path: Path) -> None:
    hard = CrossEntropy() if task.is_classification else MeanSquaredError(to="labels")
    done, log = trained(job(tmp_path, Dying(hard), task=task))
    assert "says the same of every target sample, as from epoch 5 on" in done["collapse"]
    assert done["epoch"] == 4 and len(log) == 8


def test_a_loss_that_is_no_number_falls_back(tmp_path: Path) -> None:
    done, log = trained(job(tmp_path, Explode(10)))  # three steps an epoch
    assert [line["epoch"] for line in log] == [1, 2, 3, 4] and "loss" not in log[-1]
    assert done["epoch"] <= 3 and "became nan in epoch 4" in done["collapse"] and "learning_rate" in done["collapse"]
    weights, _ = read_weights(tmp_path / "weights.safetensors")
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize(("last", "choice"), [(1, "fall_back"), (10, "stop"), (10, "go_on")])
def test_a_loss_that_is_no_number_fails_where_there_is_nothing_before_or_it_may_not(
    last: int, choice: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"loss of row became nan in epoch \d\. Lower 'training\.learning_rate'"):
        trained(job(tmp_path, Explode(last), on_collapse=choice))


def test_a_row_that_never_sees_the_target_is_not_judged_by_it(tmp_path: Path) -> None:
    made = job(tmp_path, Distill([CrossEntropy()]), shares=(1.0, 0.0, 0.0))
    made.domains["target"].inputs[:] = 1.0
    done, log = trained(made)
    assert done["collapse"] is None and not any(key.startswith("diagnostics/") for line in log for key in line)


def test_a_stopped_run_collapses_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # the disk survives these kills
    kills = {2, 7, 14, 16, 18}

    def tick(share: float) -> None:
        if (step := round(share * 24)) in kills:
            kills.discard(step)
            raise KilledError

    def made(folder: Path) -> Job:
        drawn = job(folder, swallowing(), checkpoint_seconds=1e-9)
        return replace(drawn, validate=lambda source, labels, target, features: {"later": float(target.abs().sum())})

    done, log = trained(made(tmp_path / "whole"))
    while kills:
        with contextlib.suppress(KilledError):
            train(made(tmp_path / "cut"), [Jsonl()], tick)
    again, cut = trained(made(tmp_path / "cut"))
    assert done["collapse"] is not None and {**done, "seconds": 0} == {**again, "seconds": 0}
    assert [line | UNTIMED for line in log] == [line | UNTIMED for line in cut]
    for name in ("weights.safetensors", "history.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
