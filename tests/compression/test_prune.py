"""Pruning: what is dead goes first, and without a trace; what is left is really smaller."""

from __future__ import annotations

import operator

import pytest
import torch
from house_tree import parts
from small_world import instances
from torch import Tensor, nn

from limbeck.compression import layer_changes, with_changes
from limbeck.compression._channels import channel_graph
from limbeck.compression._counts import multiply_adds
from limbeck.compression._scores import channel_scores
from limbeck.compression.prune import Prune
from limbeck.core import UsageError
from limbeck.networks import Network
from limbeck.networks.cnn import Cnn
from limbeck.networks.mlp import Mlp
from limbeck.networks.resnet import Resnet

SHAPE = (3, 16, 16)


def built(network: Network, shape: tuple[int, ...] = SHAPE) -> Network:
    network.build(shape, 4)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):  # statistics of their own, as after training
            nn.init.uniform_(layer.running_mean, -0.3, 0.3)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.3, 0.3)
    return network.eval()


class Branches(nn.Module):
    """A sum, a concatenation, a convolution of each channel, a gate, and pixels that are flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.left, self.right = nn.Conv2d(8, 6, 1), nn.Conv2d(8, 6, 3, padding=1)
        self.each = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 1))
        self.relu, self.pool = nn.ReLU(), nn.AdaptiveAvgPool2d(2)
        self.hidden, self.head = nn.Linear(4 * 14, 10), nn.Linear(10, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        stem = self.relu(self.stem(inputs))
        added = self.each(self.relu(self.left(stem) + self.right(stem)))
        gated = added * self.gate(added).sigmoid()
        joined = self.pool(torch.cat([gated, stem], dim=1))
        return self.head(self.relu(self.hidden(joined.view(joined.size(0), -1))))


NETWORKS = {
    "mlp": (lambda: built(Mlp([8, 6]), (5,)), (5,)),
    "cnn": (lambda: built(Cnn([8, 6], 10)), SHAPE),
    "resnet": (lambda: built(Resnet(14, 0.5)), SHAPE),
    "branches": (lambda: Branches().eval(), SHAPE),
}
EACH = pytest.mark.parametrize("name", NETWORKS)


def silenced(network: nn.Module, inputs: Tensor) -> None:
    """Half of each free group gives nothing to any layer that reads it."""
    graph = channel_graph(network, inputs)
    with torch.no_grad():
        for name, segments in graph.reads.items():
            weight, first = network.get_submodule(name).weight, 0
            for segment in segments:
                dead = torch.arange(0, segment.size, 2) if graph.root(segment.group) in graph.free else torch.arange(0)
                places = first + dead[:, None] * segment.repeat + torch.arange(segment.repeat)
                weight[:, places.flatten()] = 0
                first += segment.size * segment.repeat


@EACH
def test_channels_that_give_nothing_leave_the_outputs_equal(name: str) -> None:
    make, shape = NETWORKS[name]
    network, inputs = make(), torch.randn(16, *shape)
    silenced(network, inputs)
    pruned = Prune(0.5).shrunk(network, inputs)
    assert sum(p.numel() for p in pruned.parameters()) < 0.6 * sum(p.numel() for p in network.parameters())
    torch.testing.assert_close(pruned(inputs), network(inputs), rtol=1e-4, atol=1e-5)


@EACH
def test_other_channels_do_change_them(name: str) -> None:
    make, shape = NETWORKS[name]
    network, inputs = make(), torch.randn(16, *shape)
    assert not torch.allclose(Prune(0.5).shrunk(network, inputs)(inputs), network(inputs), atol=1e-3)


@EACH
def test_its_shape_is_told_and_built_again(name: str) -> None:
    make, shape = NETWORKS[name]
    network, inputs = make(), torch.randn(16, *shape)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    pruned = Prune(0.3).shrunk(network, inputs)
    again = with_changes(network, layer_changes(network, pruned))
    again.load_state_dict(pruned.state_dict())
    assert again.eval()(inputs).equal(pruned(inputs))
    assert all(before[key].equal(value) for key, value in network.state_dict().items())


def test_the_sizes_of_a_cnn() -> None:
    network = built(Cnn([8, 6], 10))
    pruned = Prune(0.5).shrunk(network, torch.randn(4, *SHAPE))
    narrow = Cnn([4, 3], 5)
    narrow.build(SHAPE, 4)
    narrow.load_state_dict(pruned.state_dict())
    assert multiply_adds(pruned, torch.zeros(1, *SHAPE)) == 3 * 4 * 9 * 256 + 4 * 3 * 9 * 64 + 3 * 16 * 5 + 5 * 4


def test_the_score_of_a_channel_by_hand() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 4))
    inputs = torch.randn(50, 3)
    hidden = network[0](inputs).relu()
    ((_, scores),) = channel_scores(network, channel_graph(network, inputs), inputs).items()
    wanted = hidden.square().mean(0) * network[2].weight.square().sum(0)
    torch.testing.assert_close(scores.float(), wanted.detach())


def test_what_is_written_as_a_number_stays() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.head = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 3), nn.Linear(4 * 144, 4)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(self.second(self.first(inputs)).view(-1, 4 * 144))

    inputs = torch.randn(4, *SHAPE)
    pruned = Prune(0.5).shrunk(Fixed().eval(), inputs)
    assert (pruned.first.out_channels, pruned.second.out_channels) == (3, 4)
    assert pruned(inputs).shape == (4, 4)


def test_a_branch_on_values_is_told() -> None:
    class Decides(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input if operator.gt(input.sum(), 0) else -input)

    with pytest.raises(UsageError, match=r"cannot be followed by torch.fx .* \(structure: weights\)"):
        Prune().shrunk(nn.Sequential(Decides(3, 4)), torch.randn(4, 3))


def test_a_network_without_channels_to_take_is_told() -> None:
    with pytest.raises(UsageError, match="no channels that could be taken out"):
        Prune().check(nn.Sequential(nn.Linear(3, 4)), torch.randn(4, 3))


def test_the_smallest_weights_become_zero_and_stay_zero() -> None:
    network = nn.Sequential(nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 4))
    step, inputs = Prune(0.75, structure="weights"), torch.randn(32, 10)
    pruned = step.held(step.shrunk(network, inputs), inputs)
    for before, after in zip(network.parameters(), pruned.parameters(), strict=True):
        if before.ndim == 2:
            kept = after != 0
            assert int(kept.sum()) == before.numel() // 4
            assert before[kept].abs().min() >= before[~kept].abs().max()
            assert after[kept].equal(before[kept])
    zeros = [parameter == 0 for parameter in pruned.parameters()]
    start = [parameter.clone() for parameter in pruned.parameters()]
    optimiser = torch.optim.AdamW(pruned.parameters(), 0.1)
    for _ in range(5):
        optimiser.zero_grad()
        pruned(inputs).square().sum().backward()
        optimiser.step()
    for was, now, before in zip(zeros, pruned.parameters(), start, strict=True):
        assert not now[was].any()
        assert (now[~was] != before[~was]).all()


def test_gradually_by_the_cubic_schedule() -> None:
    network, inputs = nn.Sequential(nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 2)), torch.randn(4, 100)
    step = Prune(0.5, rounds=2)
    middle = step.shrunk(network, inputs, 0)
    last = step.shrunk(middle, inputs, 1)
    assert step.rounds == 2
    assert middle[0].out_features == round(64 * (1 - 0.5 * 7 / 8))  # 1 − (1 − 1/2)³ = 7/8
    assert last[0].out_features == 32


@pytest.mark.parametrize("settings", [{"amount": 0.0}, {"amount": 1.0}, {"rounds": 0}])
def test_bad_settings(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"The '{next(iter(settings))}' of prune must be"):
        Prune(**settings)


def test_every_network_of_the_house_is_pruned() -> None:
    kinds = [part.cls for part in parts() if part.room.base is Network]
    assert kinds
    for kind in kinds:
        for network in instances(kind):
            for shape in (SHAPE, (5,)):
                try:
                    network.build(shape, 4)
                except UsageError:
                    continue
                inputs = torch.randn(4, *shape)
                assert Prune(0.5).shrunk(network.eval(), inputs)(inputs).shape == (4, 4)
                break
