"""Statistics of the target against torch's own over all samples at once; nothing else moves."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from small_world import CLASSES, WIDTH, World, network
from torch import Tensor, nn

from limbeck.core import DomainView, Spec, UsageError
from limbeck.methods.adabn import Adabn
from limbeck.networks import Observed
from limbeck.training import predict

VIEW = World().views()["target"]


def built(student: nn.Module, shape: tuple[int, ...] = (WIDTH,), **settings) -> Adabn:
    observed = Observed(student)
    method = Adabn(**settings)
    method.build(observed, CLASSES, observed.spec(shape), Spec(0))
    return method


def view(inputs: Tensor, labelled: int = 0) -> DomainView:
    """A target whose last quarter is no training sample."""
    rows, train = torch.arange(len(inputs)), len(inputs) * 3 // 4
    splits = {"labelled": rows[:labelled], "train": rows[labelled:train], "selection": rows[train:]}
    return replace(VIEW, inputs=inputs, splits=splits, opened={})


def fitted(method: Adabn, inputs: Tensor) -> Adabn:
    unread = view(torch.full_like(inputs, float("nan")))
    method.fit(unread, view(inputs))
    return method


def deep(kind: type[nn.Module], layer: type[nn.Module], **more) -> nn.Module:
    body = (layer(3, 6, **more), kind(6), nn.ReLU(), nn.Dropout(0.5), layer(6, 4, **more), kind(4), nn.ReLU())
    return nn.Sequential(*body, nn.Flatten(), nn.LazyLinear(3))


@pytest.mark.parametrize("dimensions", [1, 2])
def test_each_layer_gets_what_torch_finds_in_all_samples_at_once(dimensions: int) -> None:
    if dimensions == 1:
        inputs, student = 2 * torch.randn(80, 3) + 5, deep(nn.BatchNorm1d, nn.Linear)
    else:
        inputs, student = 2 * torch.randn(80, 3, 5, 4) + 5, deep(nn.BatchNorm2d, nn.Conv2d, kernel_size=2)
    student(inputs)  # gives the head its width
    method = built(student, tuple(inputs.shape[1:]), batch_size=7).double()
    x = inputs.double()[:60]
    fitted(method, inputs.double())
    for layer in copy.deepcopy(student).eval():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            found = layer.running_mean.clone(), layer.running_var.clone()
            layer.momentum = 1.0
            layer.train()(x)
            torch.testing.assert_close(found, (layer.running_mean, layer.running_var), rtol=1e-10, atol=1e-10)
            layer.eval()
        x = layer(x)
    assert method.evaluated.network is student


def test_the_batch_size_and_the_order_do_not_matter_and_no_weight_moves() -> None:
    torch.manual_seed(1)
    student, inputs = network(3), torch.randn(80, WIDTH) - 4
    found = {}
    for batch_size in (1, 9, 512):
        method = built(copy.deepcopy(student), batch_size=batch_size)
        shuffled = torch.cat([inputs[torch.randperm(60)], inputs[60:]])
        found[batch_size] = fitted(method, shuffled).student.network.state_dict()
    for state in found.values():
        torch.testing.assert_close(state, found[512])
        moved = {name for name, value in student.state_dict().items() if not value.equal(state[name])}
        assert moved == {"1.running_mean", "1.running_var"}


def test_modes_and_hooks_are_left_as_they_were() -> None:
    method = built(network(3)).train()
    method.student.network[3].eval()
    modes = [part.training for part in method.modules()]
    fitted(method, torch.randn(80, WIDTH))
    assert modes == [part.training for part in method.modules()]
    assert not method.student.network[1]._forward_pre_hooks


def test_it_takes_a_shift_and_a_scale_of_the_inputs_away() -> None:
    """What another camera does to each channel is undone where the first layer keeps channels apart."""
    torch.manual_seed(0)
    labels = torch.arange(400) % 3
    inputs = nn.functional.one_hot(labels, WIDTH) * 3.0 + torch.randn(400, WIDTH)
    student = nn.Sequential(
        nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)
    )
    optimiser = torch.optim.Adam(student.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(student(inputs), labels).backward()
        optimiser.step()
    target = inputs * torch.tensor([3.0, 0.2, 1.0, 5.0, 0.5]) + torch.tensor([4.0, -1.0, 2.0, 0.0, 9.0])
    method = built(student)
    accuracy = []
    for when in ("before", "after"):
        if when == "after":
            fitted(method, target)
        accuracy.append(float((predict(method.evaluated, target).argmax(1) == labels).float().mean()))
    assert accuracy[0] < 0.6
    assert accuracy[1] > 0.85


def test_a_student_without_statistics_is_refused() -> None:
    bare = nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 3))
    with pytest.raises(UsageError, match="batch normalisation anew, and Sequential keeps none"):
        built(bare)


def test_one_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="at least two values"):
        fitted(built(network(3)), torch.zeros(2, WIDTH))


def test_a_bad_batch_size_is_named() -> None:
    with pytest.raises(UsageError, match="The 'batch_size' of adabn must be > 0"):
        Adabn(batch_size=0)


def test_the_source_is_shown_to_the_student_as_it_was() -> None:
    """With its own statistics, though nothing of it was read."""
    torch.manual_seed(0)
    student, x = network(3), VIEW.inputs
    method = built(student)
    before = predict(method.student, x)
    fitted(method, 3 * torch.randn(80, WIDTH) + 7)
    assert predict(method.on_source, x).equal(before)
    assert not torch.allclose(predict(method.evaluated, x), before, atol=0.1)
