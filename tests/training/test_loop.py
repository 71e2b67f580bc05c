"""The loop: modes, what trains, clipping, selection, divergence, sealed labels, precision."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from small_world import World, network, settings
from torch import Tensor, nn

from limbeck.core import (
    Batch,
    Domain,
    Knowledge,
    Opening,
    Outputs,
    RunError,
    SealedLabelsError,
    Spec,
    UsageError,
)
from limbeck.core.weights import read_weights
from limbeck.methods import Method, Stream, Update
from limbeck.methods.distill import Distill
from limbeck.methods.target_only import TargetOnly
from limbeck.objectives import Objective
from limbeck.trackers.jsonl import Jsonl
from limbeck.training import Training, predict, represent, train

WORLD = World()


class Watching(Method):
    """Learns from the source, and keeps what it sees of itself at each step."""

    streams: ClassVar[tuple[Stream, ...]] = ("source",)

    def __init__(self, factor: float = 1.0, diverges_at: int = -1):
        super().__init__()
        self.factor, self.diverges_at = factor, diverges_at
        self.modes: list[set[bool]] = []
        self.shares: list[float] = []
        self.norms: list[float] = []
        self.epochs: list[int] = []
        self.dtypes: set[torch.dtype] = set()

    def at(self, progress: float) -> None:
        self.shares.append(progress)

    def start_epoch(self, epoch: int, target) -> None:
        self.epochs.append(epoch)
        self.eval()  # as one that makes pseudo-labels does

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        self.modes.append({module.training for module in self.modules()})
        logits = self.student(batches["source"].inputs).logits
        self.dtypes.add(logits.dtype)
        loss = nn.functional.cross_entropy(logits.float(), batches["source"].labels) * self.factor
        if len(self.shares) == self.diverges_at:
            loss = loss * math.inf
        return [Update({"own": loss, "half": loss / 2})]

    def after_update(self) -> None:
        squares = [p.grad.square().sum() for p in self.parameters() if p.grad is not None]
        self.norms.append(torch.stack(squares).sum().sqrt().item())


def run(method: Method, folder: Path, validate=None, **changes) -> dict:
    job = WORLD.job(folder, lambda: method, settings(**changes))
    return train(job if validate is None else replace(job, validate=validate), [Jsonl()])


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_student_trains_in_training_mode_in_every_epoch(tmp_path: Path) -> None:
    """Evaluation, and a method that evaluates, must not leave it in evaluation mode."""
    method = Watching()
    run(method, tmp_path)
    assert method.epochs == [0, 1, 2]
    assert len(method.modes) == 15 and all(modes == {True} for modes in method.modes)
    assert method.shares == [step / 15 for step in range(15)]


def test_the_log_has_the_means_of_each_epoch_and_its_learning_rate(tmp_path: Path) -> None:
    done = run(Watching(), tmp_path, schedule="linear", warmup=0.0, learning_rate=0.1)
    lines = log(tmp_path)
    assert [line["step"] for line in lines] == [5, 10, 15] and [line["epoch"] for line in lines] == [1, 2, 3]
    assert [line["lr"] for line in lines] == pytest.approx([0.1 * (1 - step / 15) for step in (4, 9, 14)])
    for line in lines:
        assert line["loss"] == pytest.approx(line["loss/own"] * 1.5)
        assert line["loss/half"] == pytest.approx(line["loss/own"] / 2)
    assert lines[2]["loss"] < lines[0]["loss"]
    assert done["steps"] == 15 and done["seconds"] >= lines[2]["seconds"] > 0


def test_an_epoch_is_one_pass_over_the_largest_stream(tmp_path: Path) -> None:
    both = Distill([Bent()])
    assert run(both, tmp_path, batch_size=30, epochs=2)["steps"] == 4  # 34 samples in batches of 30


@pytest.mark.parametrize("clip", [0.05, 0.5])
def test_clipping_bounds_the_norm_of_the_gradient(clip: float, tmp_path: Path) -> None:
    free, bound = Watching(factor=100.0), Watching(factor=100.0)
    run(free, tmp_path / "free")
    run(bound, tmp_path / "bound", clip=clip)
    assert max(free.norms) > 10 * clip
    assert max(bound.norms) <= clip * 1.001
    assert min(bound.norms) > clip * 0.9  # all were longer, so all have just this length


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_diverged_loss_names_the_row_and_the_mend(clip: float | None, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"loss of row became (inf|nan) in epoch 2.*training\.learning_rate"):
        run(Watching(diverges_at=7), tmp_path, clip=clip, on_collapse="stop")
    assert [line["epoch"] for line in log(tmp_path)] == [1]
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_score_that_is_no_number_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="validator fit of row became nan in epoch 1"):
        run(Watching(), tmp_path, validate=lambda *seen: {"fit": math.nan})


def test_an_unknown_validator_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'validator' of the recipe must be one of \['other'\]"):
        run(Watching(), tmp_path, validate=lambda *seen: {"other": 1.0})


def scripted(values: list[float]):
    left = iter(values)
    return lambda *seen: {"fit": next(left), "size": 0.0}


def test_the_checkpoint_of_the_best_score_is_kept(tmp_path: Path) -> None:
    method = Watching()
    kept: list[dict[str, Tensor]] = []
    read: list[Tensor] = []
    scores = scripted([0.1, 0.7, 0.3, 0.7, 0.2])

    def validate(source: Tensor, labels: Tensor, target: Tensor, features: Tensor) -> dict[str, float]:
        kept.append({name: value.clone() for name, value in method.student.network.state_dict().items()})
        assert source.shape == target.shape == (12, 3) and labels.equal(torch.arange(34, 46) % 3)
        read.append(features)
        return scores()

    done = run(method, tmp_path, validate=validate, epochs=5)
    assert (done["epoch"], done["chosen"], done["validators"]["fit"]) == (2, 1, 0.7)  # the first of equal ones
    weights, about = read_weights(tmp_path / "weights.safetensors")
    assert all(weights[name].equal(value) for name, value in kept[1].items())
    assert not weights["0.weight"].equal(kept[4]["0.weight"])
    assert about == {"by": "test"}
    history = np.load(tmp_path / "history.npz")
    assert history["validator/fit"].tolist() == [0.1, 0.7, 0.3, 0.7, 0.2]
    assert history["epochs"].tolist() == [1, 2, 3, 4, 5]
    student = WORLD.built(Watching())[0].evaluated
    student.network.load_state_dict(weights)
    selection = WORLD.domain("target").split_inputs("selection")
    assert torch.allclose(torch.from_numpy(history["target_logits"][1]), predict(student, selection), atol=1e-6)
    assert torch.allclose(read[1], represent(student, selection), atol=1e-6)


def test_it_stops_early_without_a_better_score(tmp_path: Path) -> None:
    done = run(Watching(), tmp_path, validate=scripted([0.1, 0.9, 0.3, 0.8, 1.0]), epochs=5, patience=2)
    assert done["stopped_early"] and (done["steps"], done["epoch"]) == (20, 2)
    assert len(log(tmp_path)) == 4


def test_it_stops_where_it_is_given_up(tmp_path: Path) -> None:
    seen: list[tuple[list[int], list[float]]] = []

    def hopeless(epochs: Sequence[int], scores: Mapping[str, Sequence[float]]) -> bool:
        seen.append((list(epochs), list(scores["fit"])))
        return epochs[-1] >= 4

    job = replace(WORLD.job(tmp_path, Watching, settings(epochs=8, evaluate_every=2)), hopeless=hopeless)
    done = train(replace(job, validate=scripted([0.9, 0.1, 1.0, 1.0])))
    assert seen == [([2], [0.9]), ([2, 4], [0.9, 0.1])]
    assert done["stopped_early"] and (done["steps"], done["epoch"]) == (20, 2)


def test_it_is_evaluated_every_few_epochs_and_at_the_end(tmp_path: Path) -> None:
    run(Watching(), tmp_path, epochs=5, evaluate_every=2)
    assert np.load(tmp_path / "history.npz")["epochs"].tolist() == [2, 4, 5]
    assert ["validator/fit" in line for line in log(tmp_path)] == [False, True, False, True, True]


class Bent(Objective):
    """`(w · mean feature)²`, with a w of its own, as a projection or a discriminator has."""

    samples = "both"

    def build(self, student: Spec, knowledge: Spec) -> None:
        self.weight = nn.Parameter(torch.ones(student.layers["features"]))

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Tensor:
        return (outputs.source.feature().mean(0) @ self.weight).square()


def test_parameters_of_objectives_train_and_are_not_exported(tmp_path: Path) -> None:
    """Discriminators and projections are often missed by the optimiser."""
    bent = Bent()
    run(Distill([bent]), tmp_path)
    assert bent.weight.shape == (6,) and not bent.weight.equal(torch.ones(6))
    assert set(read_weights(tmp_path / "weights.safetensors")[0]) == set(network(3).state_dict())


class Peeking(Method):
    """Reads the target's labels without saying so."""

    streams: ClassVar[tuple[Stream, ...]] = ("target",)

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        batch = batches["target"]
        return [Update({"loss": nn.functional.cross_entropy(self.student(batch.inputs).logits, batch.labels)})]


class PeekingAtTheDomain(Peeking):
    """Looks for them in the view that each epoch begins with."""

    def start_epoch(self, epoch: int, target) -> None:
        target.labels("train")


@pytest.mark.parametrize("kind", [Peeking, PeekingAtTheDomain])
def test_a_method_that_reads_sealed_labels_fails(kind: type[Method], tmp_path: Path) -> None:
    with pytest.raises(SealedLabelsError, match="sealed"):
        run(kind(), tmp_path)


def test_the_upper_bound_opens_the_training_split_alone_and_says_so(tmp_path: Path) -> None:
    target, openings = WORLD.domain("target"), list[Opening]()
    target.on_open = openings.append
    view = target.view(("train",), "training of bound", "bound")
    assert [(o.domain, o.split, o.samples, o.row) for o in openings] == [("target", "train", 28, "bound")]
    assert set(view.opened) == {"labelled", "train"}
    job = replace(WORLD.job(tmp_path, TargetOnly), domains={"source": WORLD.domain("source").view(), "target": view})
    assert train(job)["steps"] == 15
    assert len(openings) == 1


def test_validation_gets_no_label_of_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []
    real = Domain.open
    monkeypatch.setattr(
        Domain, "open", lambda self, split, *a: (opened.append((self.role, split)), real(self, split, *a))[1]
    )
    run(Watching(), tmp_path)
    assert ("target", "labelled") in opened
    assert not {("target", "train"), ("target", "selection"), ("target", "test")} & set(opened)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_step_runs_in_the_precision_asked_for(precision, dtype: torch.dtype, tmp_path: Path) -> None:
    method = Watching()
    run(method, tmp_path, precision=precision)
    assert method.dtypes == {dtype}
    weights, _ = read_weights(tmp_path / "weights.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float32, torch.int64}
    assert log(tmp_path)[2]["loss"] < log(tmp_path)[0]["loss"]


def test_the_seed_decides_and_nothing_before_does(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((0, 0, 1)):
        torch.manual_seed(number)
        train(WORLD.job(tmp_path / str(number), Watching, settings(), seed))
        found.append((tmp_path / str(number) / "weights.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]


def test_the_same_as_a_plain_loop(tmp_path: Path) -> None:
    """One epoch of plain gradient descent, written out."""
    made = Training(epochs=1, batch_size=34, optimiser="sgd", momentum=0.0, weight_decay=0.0, learning_rate=0.1)
    made = replace(made, schedule="constant", warmup=0.0, precision="fp32", device="cpu")
    method = WORLD.built(Watching())[0]
    method.student.network[3].p = 0.0
    expected = WORLD.built(Watching())[0].student.network
    expected[3].p = 0.0
    view = WORLD.views()["source"]
    loss = nn.functional.cross_entropy(expected(view.inputs[:34]), torch.arange(34) % 3) * 1.5
    loss.backward()
    with torch.no_grad():
        for parameter in expected.parameters():
            parameter -= 0.1 * parameter.grad
    train(replace(WORLD.job(tmp_path, Watching), method=method, settings=made))
    trained = method.student.network.state_dict()
    for name, value in expected.state_dict().items():
        assert torch.allclose(trained[name], value, atol=1e-6), name
