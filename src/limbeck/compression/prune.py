"""Pruning: single weights become zero, or whole channels are taken out, so that the network is really faster."""

from __future__ import annotations

import copy
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from limbeck.compression import Compression
from limbeck.compression._channels import Graph, Segment, channel_graph
from limbeck.compression._layers import NORMS, replaced, weighted_layers, with_tensors
from limbeck.compression._scores import channel_scores, largest
from limbeck.core import UsageError, bad_value

__all__ = ["Prune"]


class Prune(Compression):
    """Takes out the share `amount` of every layer's channels or weights, those that are worth least.

    structure: "channels" rewrites the layers in smaller sizes, together wherever channels are
    shared (residual sums, concatenations, BatchNorm): smaller and faster on any device. A
    channel is worth what it gives to the layers that read it, on the target's samples (Sun et al.
    2024, eq. 1). "weights" sets the smallest weights of each layer to zero (Han et al. 2015) and
    keeps them there: the sizes stay, and only a runtime with sparse kernels, or a compressed
    file, gains by it. rounds: gradually, in so many turns of pruning and fine-tuning; after turn t
    of n the share is `amount · (1 − (1 − t/n)³)` (Zhu & Gupta 2017, eq. 1). Outputs are never taken out.

    >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> Prune(0.5).shrunk(network, torch.randn(16, 4))[2]
    Linear(in_features=4, out_features=2, bias=True)
    """

    def __init__(
        self,
        amount: Annotated[float, Gt(0), Lt(1)] = 0.5,
        structure: Literal["channels", "weights"] = "channels",
        rounds: Annotated[int, Ge(1)] = 1,
    ):
        if not 0 < amount < 1:
            raise bad_value("amount", "prune", "between 0 and 1", amount)
        if rounds < 1:
            raise bad_value("rounds", "prune", "≥ 1", rounds)
        self.amount = amount
        self.structure = structure
        self.turns = rounds

    @property
    def rounds(self) -> int:
        return self.turns

    def shrunk(self, network: nn.Module, inputs: Tensor, turn: int = 0) -> nn.Module:
        before, after = self._share(turn), self._share(turn + 1)
        if self.structure == "weights":
            return _with_zeros(network, after)
        return _narrowed(network, inputs, (1 - after) / (1 - before))

    def _share(self, turn: int) -> float:
        return self.amount * (1 - (1 - turn / self.turns) ** 3)

    def check(self, network: nn.Module, inputs: Tensor) -> None:
        self.shrunk(network, inputs)


def _with_zeros(network: nn.Module, share: float) -> nn.Module:
    """A copy with this share of each layer's weights zero, the smallest."""
    pruned = copy.deepcopy(network)
    with torch.no_grad():
        for layer in weighted_layers(pruned).values():
            sizes = layer.weight.abs().flatten()
            kept = largest(sizes.cpu(), len(sizes) - round(share * len(sizes)))
            layer.weight.mul_(kept.reshape(layer.weight.shape).to(layer.weight.device))
    return pruned


def _narrowed(network: nn.Module, inputs: Tensor, share: float) -> nn.Module:
    """A copy that keeps this share of the channels of every free group, at least one."""
    graph = channel_graph(network, inputs[:2])
    if not graph.free:
        raise UsageError(
            f"{type(network).__name__} has no channels that could be taken out: prune its weights instead "
            "(structure: weights), or leave this step out."
        )
    scores = channel_scores(network, graph, inputs)
    kept = {group: largest(own, max(1, round(share * len(own)))).nonzero()[:, 0] for group, own in scores.items()}
    rewriting = _Rewriting(network, graph, kept)
    layers = {name: rewriting.layer(name) for name in dict.fromkeys([*graph.reads, *graph.carries])}
    return replaced(network, layers)


class _Rewriting:
    """Layers in new sizes. kept: the channels that stay, by free group."""

    def __init__(self, network: nn.Module, graph: Graph, kept: dict[int, Tensor]):
        self.network, self.graph, self.kept = network, graph, kept

    def layer(self, name: str) -> nn.Module:
        if name in self.graph.carries:
            return self._carrier(self.network.get_submodule(name), self._places(self.graph.carries[name]))
        layer = weighted_layers(self.network)[name]
        outputs = self._channels(self.graph.makes[name])
        inputs = self._places(self.graph.reads[name])
        tensors = {"weight": layer.weight.detach()[outputs][:, inputs]}
        if layer.bias is not None:
            tensors["bias"] = layer.bias.detach()[outputs]
        names = ("in_features", "out_features") if isinstance(layer, nn.Linear) else ("in_channels", "out_channels")
        return with_tensors(layer, tensors, **dict(zip(names, (len(inputs), len(outputs)), strict=True)))

    def _carrier(self, layer: nn.Module, places: Tensor) -> nn.Module:
        """A BatchNorm, or a convolution of each channel by itself."""
        tensors = {key: value[places] if value.ndim else value for key, value in layer.state_dict().items()}
        if isinstance(layer, NORMS):
            return with_tensors(layer, tensors, num_features=len(places))
        return with_tensors(layer, tensors, **dict.fromkeys(("in_channels", "out_channels", "groups"), len(places)))

    def _channels(self, group: int) -> Tensor:
        kept = self.kept.get(self.graph.root(group))
        return torch.arange(self.graph.sizes[group]) if kept is None else kept

    def _places(self, segments: tuple[Segment, ...]) -> Tensor:
        """The places of what is kept among everything that a layer reads."""
        places, first = [], 0
        for segment in segments:
            channels = self._channels(segment.group)
            places.append((first + channels[:, None] * segment.repeat + torch.arange(segment.repeat)).flatten())
            first += segment.size * segment.repeat
        return torch.cat(places)
