"""Every network keeps the contract of its room: found by discovery, made from its signature."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from house_tree import parts
from small_world import instances, named
from torch import nn

from limbeck.core import FEATURES, UsageError
from limbeck.core.weights import load_weights, read_weights, save_weights
from limbeck.networks import Network, Observed

KINDS = [cls for part in parts() if part.room.base is Network for cls in [part.cls]]
COUNTS = [(cls, number) for cls in KINDS for number in range(len(instances(cls)))]
EACH = pytest.mark.parametrize(("kind", "number"), COUNTS, ids=named([instances(cls)[n] for cls, n in COUNTS]))
SHAPES = [(5,), (3, 16, 16), (1, 28, 28)]


def built(kind: type, number: int, outputs: int = 4) -> tuple[Network, tuple[int, ...]]:
    """The network for the largest of some shapes that it reads."""
    torch.manual_seed(0)
    for shape in reversed(SHAPES):
        network = instances(kind)[number]
        try:
            network.build(shape, outputs)
        except UsageError:
            continue
        return network, shape
    raise AssertionError(f"{kind} reads none of {SHAPES}")


@EACH
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("n", [1, 3])
def test_it_gives_a_row_of_outputs_for_each_sample(kind: type, number: int, outputs: int, n: int) -> None:
    network, shape = built(kind, number, outputs)
    assert network.eval()(torch.randn(n, *shape)).shape == (n, outputs)


@EACH
def test_features_are_what_the_head_reads(kind: type, number: int) -> None:
    network, shape = built(kind, number)
    outputs = Observed(network).eval()(torch.randn(3, *shape))
    assert isinstance(network.head, nn.Linear)
    assert outputs.feature().shape == (3, network.head.in_features)
    assert network.head(outputs.features[FEATURES]).equal(outputs.logits)


@EACH
def test_every_parameter_gets_a_gradient(kind: type, number: int) -> None:
    network, shape = built(kind, number)
    network.train()(torch.randn(6, *shape)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@EACH
def test_evaluation_treats_each_sample_alone(kind: type, number: int) -> None:
    network, shape = built(kind, number)
    inputs = torch.randn(5, *shape)
    network.eval()
    assert torch.allclose(network(inputs)[2:3], network(inputs[2:3]), atol=1e-5)


@EACH
def test_samples_of_another_shape_are_refused(kind: type, number: int) -> None:
    network, shape = built(kind, number)
    with pytest.raises(UsageError, match="cannot read samples of shape"):
        Observed(network).spec((*shape[:-1], shape[-1] + 3, 2))
    for wrong in SHAPES:
        fresh = instances(kind)[number]
        try:
            fresh.build(wrong, 4)
        except UsageError as error:
            assert str(list(wrong)) in str(error) or f"{wrong[-2]}×{wrong[-1]}" in str(error)
        else:
            assert fresh.eval()(torch.randn(2, *wrong)).shape == (2, 4)


@EACH
def test_its_weights_survive_a_file(kind: type, number: int, tmp_path: Path) -> None:
    network, shape = built(kind, number)
    network.train()(torch.randn(6, *shape))  # so that the statistics are not those at the beginning
    path = tmp_path / "weights.safetensors"
    save_weights(path, network.state_dict(), {})
    torch.manual_seed(1)
    other = instances(kind)[number]
    other.build(shape, 4)
    load_weights(other, read_weights(path)[0], str(path))
    inputs = torch.randn(3, *shape)
    assert other.eval()(inputs).equal(network.eval()(inputs))


@EACH
def test_the_seed_decides_the_weights(kind: type, number: int) -> None:
    first, second = (built(kind, number)[0].state_dict() for _ in range(2))
    assert all(first[name].equal(second[name]) for name in first)


@EACH
def test_computes_in_bf16(kind: type, number: int) -> None:
    network, shape = built(kind, number)
    network.eval()
    inputs = torch.randn(3, *shape)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(inputs)
    assert found.isfinite().all()
    assert torch.allclose(found.float(), network(inputs), atol=0.1)
