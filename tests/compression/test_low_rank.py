"""Low rank: equal at full rank, and the least error of all at a lower one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from limbeck.compression import layer_changes, with_changes
from limbeck.compression._counts import multiply_adds
from limbeck.compression.low_rank import LowRank, factored
from limbeck.core import UsageError

CONVOLUTIONS = [
    nn.Conv1d(5, 7, 3, padding=1),
    nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False),
    nn.Conv2d(4, 6, (3, 1), dilation=2, padding_mode="circular", padding=1),
    nn.Conv3d(2, 5, 2),
]


def inputs_of(layer: nn.Module) -> torch.Tensor:
    return torch.randn(3, 9) if isinstance(layer, nn.Linear) else torch.randn(3, layer.in_channels, *LENGTHS[layer])


LENGTHS = {layer: (8,) * len(layer.kernel_size) for layer in CONVOLUTIONS}


@pytest.mark.parametrize("layer", [nn.Linear(9, 6), nn.Linear(9, 12, bias=False), *CONVOLUTIONS], ids=str)
def test_at_full_rank_it_is_equal(layer: nn.Module) -> None:
    inputs = inputs_of(layer)
    full = min(layer.weight.flatten(1).shape)
    torch.testing.assert_close(factored(layer, full)(inputs), layer(inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_the_error_is_that_of_eckart_and_young(rank: int) -> None:
    layer = nn.Linear(9, 6)
    first, second = factored(layer, rank)
    error = (second.weight @ first.weight - layer.weight).square().sum()
    torch.testing.assert_close(error, torch.linalg.svdvals(layer.weight)[rank:].square().sum())
    assert second.bias.equal(layer.bias)


def of_rank(rank: int, outputs: int, inputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    layer.weight.data = torch.randn(outputs, rank) @ torch.randn(rank, inputs)
    return layer


def test_what_has_a_low_rank_loses_nothing() -> None:
    network = nn.Sequential(of_rank(3, 20, 30), nn.ReLU(), nn.Linear(20, 4)).eval()
    inputs = torch.randn(5, 30)
    thin = LowRank(0.999999).shrunk(network, inputs)
    assert thin[0][0].out_features == 3
    torch.testing.assert_close(thin(inputs), network(inputs), rtol=1e-3, atol=1e-4)
    assert multiply_adds(thin, inputs) == 3 * (30 + 20) + 20 * 4
    again = with_changes(network, layer_changes(network, thin))
    again.load_state_dict(thin.state_dict())
    assert again(inputs).equal(thin(inputs))


def test_what_would_cost_more_stays_and_so_does_the_head() -> None:
    network = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), of_rank(1, 40, 10))
    assert not layer_changes(network, LowRank(1.0).shrunk(network, torch.randn(2, 10)))


@pytest.mark.parametrize("energy", [0.0, 1.1])
def test_bad_energy(energy: float) -> None:
    with pytest.raises(UsageError, match="The 'energy' of low_rank must be in"):
        LowRank(energy)


def test_a_network_that_is_a_head_is_told() -> None:
    with pytest.raises(UsageError, match="no layer beside its head"):
        LowRank().check(nn.Sequential(nn.Linear(3, 2)), torch.randn(2, 3))
