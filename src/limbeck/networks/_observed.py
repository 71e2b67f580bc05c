from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.core import FEATURES, Outputs, Spec, UsageError, did_you_mean
from limbeck.networks._network import Network

__all__ = ["INPUTS", "Observed", "evaluating", "head_of"]

INPUTS = "inputs"
"""The layer name under which a network's inputs are observed, as they come."""


def head_of(network: nn.Module) -> str:
    """The name of the layer that makes the outputs: `head` of our own networks, else the last linear layer."""
    if isinstance(network, Network):
        return "head"
    names = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UsageError(f"{type(network).__name__} has no linear layer, so its representation cannot be told.")
    return names[-1]


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; afterwards every submodule is in the mode in which it was.

    >>> network = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(network):
    ...     network[0].training
    False
    >>> [layer.training for layer in network]
    [True, False]
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


class _Seen:
    """Where the hooks put layers; an attribute of a module itself takes longer to set than a small layer to run."""

    layers: dict[str, Tensor] | None = None


class Observed(nn.Module):
    """A network that also gives its inner layers: inputs → `Outputs`.

    The representation that the head reads is always there, as "features"; `layers` names more
    submodules, by their names in `named_modules()`, or "inputs" for what comes in. Works by
    forward hooks, so that any network serves unchanged.

    >>> from torch import nn
    >>> observed = Observed(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), ["1"])
    >>> observed(torch.zeros(3, 4)).feature("1").shape
    torch.Size([3, 8])
    """

    def __init__(self, network: nn.Module, layers: Iterable[str] = ()):
        super().__init__()
        self.network = network
        self.head = head_of(network)
        self.layers = sorted(set(layers) - {FEATURES, INPUTS})
        self.shows_inputs = INPUTS in layers
        self._seen = _Seen()
        self._compiled: Callable[[Tensor], Outputs] | None = None
        modules = dict(network.named_modules())
        unknown = [layer for layer in self.layers if layer not in modules]
        if unknown:
            owner = type(network).__name__
            raise UsageError(f"{owner} has no layer {unknown[0]!r}. {did_you_mean(unknown[0], list(modules)[1:])}")
        modules[self.head].register_forward_pre_hook(self._keep_inputs)
        for layer in self.layers:
            # A partial of a method, not a closure: a deep copy of the whole then keeps its own layers.
            modules[layer].register_forward_hook(partial(self._keep_output, layer))

    def _keep_inputs(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if self._seen.layers is not None:
            self._seen.layers[FEATURES] = inputs[0]

    def _keep_output(self, layer: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if self._seen.layers is None:
            return
        if not isinstance(output, Tensor):
            raise UsageError(f"The layer {layer!r} gives a {type(output).__name__}, no tensor: name another layer.")
        self._seen.layers[layer] = output

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Run compiled from now on, while training; evaluation stays eager, whose batches have many sizes."""
        self._compiled = torch.compile(self._observe, *arguments, **options)

    def forward(self, inputs: Tensor) -> Outputs:
        """[n, ...] → logits [n, outputs] and every observed layer."""
        return self._observe(inputs) if self._compiled is None or not self.training else self._compiled(inputs)

    def _observe(self, inputs: Tensor) -> Outputs:
        features = {INPUTS: inputs} if self.shows_inputs else {}
        self._seen.layers = features  # during this call alone: the network may also run without being observed
        try:
            return Outputs(self.network(inputs), features)
        finally:
            self._seen.layers = None

    @torch.no_grad()
    def spec(self, shape: tuple[int, ...]) -> Spec:
        """The width of the logits and the shapes of the layers, found by one forward pass of zeros."""
        parameter = next(self.parameters(), torch.empty(0))
        try:
            with evaluating(self):
                outputs = self(torch.zeros(2, *shape, device=parameter.device))
        except UsageError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
            owner = type(self.network).__name__
            raise UsageError(f"{owner} cannot read samples of shape {list(shape)}: {error}") from error
        if outputs.logits.ndim != 2:
            owner = type(self.network).__name__
            raise UsageError(f"{owner} must give [n, outputs]. Got a tensor of shape {list(outputs.logits.shape)}.")
        layers = {name: tuple(value.shape[1:]) for name, value in outputs.features.items()}
        return Spec(outputs.logits.shape[1], layers)
