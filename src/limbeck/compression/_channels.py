"""Which layers share channels: the graph of a network, followed from its inputs to its outputs.

A group is a set of channels that several layers make, pass on or read together: those of a
convolution, its BatchNorm and the next layer; those of all branches that a residual sum joins.
Where something unknown reads a group, its channels stay as they are.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.nn import functional as F

from limbeck.compression._layers import CONVOLUTIONS, NORMS
from limbeck.core import UsageError
from limbeck.networks import evaluating

__all__ = ["Graph", "Segment", "channel_graph"]

_PASSED = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d),
    *(nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.Upsample),
)
"""Layers that treat each channel alike and alone."""

_PASSED_CALLS: set[Any] = {
    *(torch.relu, F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.hardswish, F.hardsigmoid),
    *(torch.sigmoid, torch.tanh, F.dropout, F.dropout2d, F.max_pool1d, F.max_pool2d, F.avg_pool1d, F.avg_pool2d),
    *(F.adaptive_avg_pool2d, F.adaptive_max_pool2d, F.interpolate, torch.clone),
    *("relu", "relu_", "sigmoid", "tanh", "contiguous", "clone", "float", "to", "clamp"),
}
_JOINED: set[Any] = {*(operator.add, operator.sub, operator.mul, operator.iadd, operator.imul), torch.add, torch.mul}
_JOINED |= {"add", "add_", "mul", "mul_", "sub"}
_FLATTENED: set[Any] = {torch.flatten, torch.reshape, "flatten", "view", "reshape"}
_AVERAGED: set[Any] = {torch.mean, torch.amax, "mean", "amax"}


@dataclass(frozen=True)
class Segment:
    """Channels of a group that follow one another, each `repeat` times (pixels that were flattened)."""

    group: int
    size: int
    repeat: int = 1


Segments = tuple[Segment, ...]


@dataclass
class Graph:
    """What layers read and make, by name. sizes: the channels of each group; `free` tells which may change."""

    reads: dict[str, Segments] = field(default_factory=dict)
    makes: dict[str, int] = field(default_factory=dict)
    carries: dict[str, Segments] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    _joined: list[int] = field(default_factory=list)
    _fixed: set[int] = field(default_factory=set)

    def group(self, size: int) -> int:
        self.sizes.append(size)
        self._joined.append(len(self._joined))
        return len(self.sizes) - 1

    def root(self, group: int) -> int:
        """The one that stands for all groups that were joined with this one."""
        while self._joined[group] != group:
            group = self._joined[group]
        return group

    def join(self, first: Segments, second: Segments) -> None:
        if [(s.size, s.repeat) for s in first] != [(s.size, s.repeat) for s in second]:
            self.fix(first)
            self.fix(second)
            return
        for one, other in zip(first, second, strict=True):
            self._joined[self.root(other.group)] = self.root(one.group)

    def fix(self, segments: Segments) -> None:
        self._fixed |= {segment.group for segment in segments}

    @property
    def free(self) -> dict[int, int]:
        """The groups whose channels may be taken out, and how many there are."""
        fixed = {self.root(group) for group in self._fixed}
        made = {self.root(group) for group in self.makes.values()}
        return {group: self.sizes[group] for group in sorted(made - fixed)}


def channel_graph(network: nn.Module, inputs: Tensor) -> Graph:
    """Follow the channels through a network, for a few inputs [n, ...].

    `UsageError` where its forward cannot be followed (torch.fx): one that branches on values.
    """
    owner = type(network).__name__
    try:
        with evaluating(network), torch.no_grad():
            traced = fx.GraphModule(network, _Tracer().traced(network))
            ShapeProp(traced).propagate(inputs)
    except Exception as error:  # the forward is anybody's code, which may raise anything when it is traced
        raise UsageError(
            f"The channels of {owner} cannot be followed by torch.fx ({type(error).__name__}: {error}). Prune single "
            "weights instead (structure: weights), or write its forward without branches on values."
        ) from error
    return _Follower(traced).followed()


class _Tracer(fx.Tracer):
    """Calls forwards as they were written: annotations that are checked at each call would refuse what stands in."""

    def traced(self, network: nn.Module) -> fx.Graph:
        outer = nn.Sequential(network)
        graph = self.trace(outer)
        for node in graph.nodes:
            if node.op in ("call_module", "get_attr"):
                node.target = str(node.target).removeprefix("0.")
        return graph

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        name = self.path_of_module(m)
        if self.is_leaf_module(m, name):
            return self.create_proxy("call_module", name, args, kwargs)
        return inspect.unwrap(type(m).forward)(m, *args, **kwargs)


class _Follower:
    def __init__(self, traced: fx.GraphModule):
        self.traced, self.graph = traced, Graph()
        self.seen: dict[fx.Node, Segments] = {}
        self.modules = dict(traced.named_modules())
        self.calls = Counter(str(node.target) for node in traced.graph.nodes if node.op == "call_module")
        self.shared = _shared(self.modules)

    def followed(self) -> Graph:
        for node in self.traced.graph.nodes:
            self.seen[node] = self._segments(node)
        return self.graph

    def _segments(self, node: fx.Node) -> Segments:
        """The channels of what a node gives; () for what is no tensor of channels."""
        if node.op == "call_module":
            found = self._module(node, str(node.target), self.modules[str(node.target)])
        elif node.op in ("call_function", "call_method"):
            found = self._call(node)
        else:
            found = None
        return self._unknown(node) if found is None else found

    def _unknown(self, node: fx.Node) -> Segments:
        if _asks_no_value(node):
            return ()
        for before in node.all_input_nodes:
            self.graph.fix(self.seen[before])
        shape = _shape(node)
        if shape is None or len(shape) < 2:
            return ()
        segments = (Segment(self.graph.group(shape[1]), shape[1]),)
        self.graph.fix(segments)
        return segments

    def _module(self, node: fx.Node, name: str, layer: nn.Module) -> Segments | None:
        before, kind = self.seen[node.all_input_nodes[0]], type(layer)
        if not before:
            return None
        if kind in _PASSED:
            return before
        if kind is nn.Flatten and layer.start_dim == 1 and layer.end_dim == -1:
            return self._flattened(node)
        if self.calls[name] > 1 or name in self.shared:
            return None
        if kind in NORMS:
            self.graph.carries[name] = before
            return before
        if isinstance(layer, CONVOLUTIONS) and kind in CONVOLUTIONS and layer.groups == 1:
            return self._reader(name, before, layer.out_channels)
        if kind in CONVOLUTIONS and layer.groups == layer.in_channels == layer.out_channels:
            self.graph.carries[name] = before
            return before
        if isinstance(layer, nn.Linear) and kind is nn.Linear and len(_shape(node) or ()) == 2:
            return self._reader(name, before, layer.out_features)
        return None

    def _reader(self, name: str, before: Segments, outputs: int) -> Segments:
        self.graph.reads[name] = before
        group = self.graph.makes[name] = self.graph.group(outputs)
        return (Segment(group, outputs),)

    def _call(self, node: fx.Node) -> Segments | None:
        tensors = node.all_input_nodes
        if node.target in _FLATTENED:
            return self._flattened(node)
        if not tensors or any(_shape(before) is None for before in tensors):
            return None
        if node.target in _PASSED_CALLS:
            return self.seen[tensors[0]]
        if node.target in _JOINED:
            return self._sum(tensors)
        if node.target is torch.cat and _argument(node, 1, "dim", 0) == 1:
            return tuple(segment for before in node.args[0] for segment in self.seen[before])  # type: ignore[union-attr, index]
        if node.target in _AVERAGED and _spares_channels(node):
            return self.seen[tensors[0]]
        return None

    def _sum(self, tensors: list[fx.Node]) -> Segments | None:
        """A sum or product of maps, or of a map and one number for each of its channels."""
        shapes = [_shape(before) or () for before in tensors]
        if len({shape[:2] for shape in shapes}) != 1 or len({len(shape) for shape in shapes}) != 1:
            return None
        first, *rest = (self.seen[before] for before in tensors)
        for other in rest:
            self.graph.join(first, other)
        return first

    def _flattened(self, node: fx.Node) -> Segments | None:
        """[n, c, ...] → [n, c · pixels], unless the new width is written as a number."""
        before = node.all_input_nodes[0]
        old, new, segments = _shape(before), _shape(node), self.seen[before]
        written = [value for value in _numbers(node.args[1:]) if value > 1]
        if old is None or new is None or not segments or len(new) != 2 or old[0] != new[0]:
            return None
        if written and node.target in (torch.reshape, "view", "reshape"):
            return None
        pixels = math.prod(old[2:])
        return tuple(Segment(segment.group, segment.size, segment.repeat * pixels) for segment in segments)


def _asks_no_value(node: fx.Node) -> bool:
    """Whether a node looks at a shape or a type alone."""
    return node.target in ("size", "dim") or node.target is getattr


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    found = node.meta.get("tensor_meta")
    return tuple(found.shape) if isinstance(found, TensorMetadata) else None  # of several tensors there is no one shape


def _argument(node: fx.Node, place: int, name: str, default: Any) -> Any:
    return node.args[place] if len(node.args) > place else node.kwargs.get(name, default)


def _numbers(arguments: Any) -> Iterator[int]:
    for value in arguments:
        if isinstance(value, tuple | list):
            yield from _numbers(value)
        elif isinstance(value, int):
            yield value


def _spares_channels(node: fx.Node) -> bool:
    """Whether a mean goes over pixels alone."""
    dims = _argument(node, 1, "dim", None)
    dims = [dims] if isinstance(dims, int) else dims
    rank = len(_shape(node.all_input_nodes[0]) or ())
    return dims is not None and all(dim % rank > 1 for dim in dims)


def _shared(modules: Mapping[str, nn.Module]) -> set[str]:
    """The layers that share a parameter with another."""
    owners: dict[int, list[str]] = {}
    for name, module in modules.items():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(name)
    return {name for names in owners.values() if len(names) > 1 for name in names}
