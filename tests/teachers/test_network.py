"""The network teacher: trained here or loaded, of the same classes, with a preprocessing of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_world import CLASSES, VALUES, WIDTH, network
from torch import nn

from limbeck.core import FEATURES, Domain, Spec, Task, UsageError
from limbeck.core.weights import save_weights
from limbeck.data import prepare
from limbeck.data._data import Raw
from limbeck.data._splits import SplitSettings
from limbeck.data.arrays import Arrays
from limbeck.networks.mlp import Mlp
from limbeck.teachers.network import NetworkTeacher


def saved(folder: Path, task: Task | None = CLASSES, **about: Any) -> tuple[Path, nn.Module]:
    trained, path = network(3 if task is None else task.outputs), folder / "teacher.safetensors"
    save_weights(path, trained.state_dict(), about | ({} if task is None else {"task": task.state()}))
    return path, trained.eval()


def built(teacher: NetworkTeacher, task: Task = CLASSES, layers: tuple[str, ...] = ()) -> NetworkTeacher:
    teacher.build((WIDTH,), task, layers)
    return teacher


def test_without_weights_it_is_to_be_trained() -> None:
    teacher = built(NetworkTeacher(Mlp(hidden=[8])), layers=("body.1",))
    assert teacher.trainable() is teacher.body() is teacher.network
    assert teacher.spec() == Spec(3, {FEATURES: (8,), "body.1": (8,)})


def test_with_weights_it_is_ready_and_says_what_the_trained_network_said(tmp_path: Path) -> None:
    path, trained = saved(tmp_path)
    teacher = built(NetworkTeacher(network(3), path), layers=("2",))
    assert teacher.trainable() is None and teacher.body() is teacher.network
    inputs = torch.randn(4, WIDTH)
    said = teacher.label(inputs)
    assert said.scores().equal(trained(inputs))
    assert said.feature("2").equal(trained[:3](inputs))
    assert not said.scores().requires_grad and not said.feature().requires_grad


def test_it_speaks_in_evaluation_mode_and_learns_nothing() -> None:
    teacher = built(NetworkTeacher(network(3).train()))
    inputs, before = torch.randn(6, WIDTH), teacher.fingerprint()
    teacher.network.train()
    first = teacher.label(inputs).scores()
    assert first.equal(teacher.label(inputs).scores())  # no dropout
    assert teacher.fingerprint() == before  # no batch statistics
    assert torch.allclose(first[:1], teacher.label(inputs[:1]).scores(), atol=1e-6)


def test_its_fingerprint_changes_with_its_weights_and_its_kind() -> None:
    torch.manual_seed(0)
    same = [nn.Sequential(nn.Linear(WIDTH, 3), layer) for layer in (nn.ReLU(), nn.Tanh(), nn.ReLU())]
    for other in same[1:]:
        other.load_state_dict(same[0].state_dict())
    prints = [built(NetworkTeacher(found)).fingerprint() for found in same]
    assert prints[0] == prints[2] != prints[1]
    with torch.no_grad():
        same[2][0].bias[0] += 1e-7
    assert built(NetworkTeacher(same[2])).fingerprint() != prints[0]


@pytest.mark.parametrize(
    ("theirs", "fault"),
    [
        (Task("classification", ("b", "a", "c")), "same classes in another order: b, a, c"),
        (Task("classification", ("a", "b", "d")), "other classes: a, b, d"),
        (Task("classification", ("a", "b")), "other classes: a, b"),
        (VALUES, "trained for regression, and the task is classification"),
    ],
)
def test_other_classes_or_another_order_are_refused(theirs: Task, fault: str, tmp_path: Path) -> None:
    path, _ = saved(tmp_path, theirs)
    with pytest.raises(UsageError, match=fault):
        built(NetworkTeacher(network(3), path))


def test_a_file_from_elsewhere_is_held_to_the_number_of_outputs(tmp_path: Path) -> None:
    path, trained = saved(tmp_path, task=None)
    teacher = built(NetworkTeacher(network(3), path))
    assert teacher.label(torch.ones(2, WIDTH)).scores().equal(trained(torch.ones(2, WIDTH)))
    with pytest.raises(UsageError, match="gives 4 outputs, and the task has 3: a, b, c"):
        built(NetworkTeacher(network(4)))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    with pytest.raises(UsageError, match=r"teacher\.safetensors do not fit"):
        built(NetworkTeacher(nn.Linear(WIDTH, 3), path))


def test_its_own_preprocessing_reads_the_raw_inputs(tmp_path: Path) -> None:
    """Teacher and student may be fed differently: here the student's inputs have another scale and width."""
    rows = np.random.default_rng(0).normal(3, 2, (40, WIDTH))
    fitted = Arrays(rows, labels=np.arange(40) % 3).preprocessing().fit(rows)
    path, trained = saved(tmp_path, preprocessing=fitted.state(), shape=[WIDTH])
    teacher = NetworkTeacher(network(3), path)
    teacher.build((2,), CLASSES, ())
    splits = {"train": np.arange(20), "selection": np.arange(20, 30), "test": np.arange(30, 40)}
    domain = Domain("d", "source", torch.zeros(40, 2), np.arange(40) % 3, CLASSES, splits, raw=rows)
    inputs = teacher.inputs(domain)
    expected = torch.from_numpy(((rows - rows.mean(0)) / rows.std(0)).astype(np.float32))
    assert torch.allclose(inputs, expected, atol=1e-4)
    assert teacher.label(inputs).scores().equal(trained(inputs))
    assert teacher.spec().outputs == 3
    plain = built(NetworkTeacher(network(3)))
    assert plain.inputs(domain) is domain.inputs


def test_values_learnt_in_another_unit_are_brought_into_ours(tmp_path: Path) -> None:
    """What it says means the same number: t · 5 + 100 there is s · 2 + 10 here."""
    theirs = Task("regression", offset=100.0, scale=5.0)
    path, trained = saved(tmp_path, theirs)
    teacher, inputs = built(NetworkTeacher(network(1), path), VALUES), torch.randn(6, WIDTH)
    ours = VALUES.restore(teacher.label(inputs).scores())
    assert torch.allclose(ours, theirs.restore(trained(inputs)), atol=1e-4)
    in_our_unit = built(NetworkTeacher(network(1), path), theirs)
    assert in_our_unit.label(inputs).scores().equal(trained(inputs))
    assert in_our_unit.fingerprint() != teacher.fingerprint()  # other answers, another store


def test_a_limbeck_file_of_a_whole_run_serves(tmp_path: Path) -> None:
    """Saved as the loop saves it, loaded for the same data."""
    raw = Raw("toy", np.arange(80.0).reshape(16, 5), np.array(["a", "b", "c", "a"] * 4, object), "classification")
    source, _, fitted, task = prepare(raw, raw, Arrays(raw.inputs).preprocessing().__class__(), SplitSettings())
    about = {"preprocessing": fitted.state(), "shape": list(source.shape)}
    path, trained = saved(tmp_path, task, **about)
    teacher = built(NetworkTeacher(network(3), path), task)
    assert torch.allclose(teacher.inputs(source), source.inputs)
    assert torch.allclose(teacher.label(source.inputs).scores(), trained(source.inputs))
