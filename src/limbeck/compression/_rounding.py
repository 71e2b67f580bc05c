"""INT8 in training: layers that round what they read and their weights as the INT8 file will."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.compression._layers import replaced
from limbeck.networks import evaluating

__all__ = ["ranges_of", "rounded_inputs", "rounded_weight", "with_rounding"]

LOW, HIGH = -128, 127


def rounded_inputs(inputs: Float[Tensor, " *n"], low: float, high: float) -> Float[Tensor, " *n"]:
    """Inputs on the INT8 grid from `low` to `high`: `(clamp(round(x / s) + z, −128, 127) − z) · s`.

    With `s = (high − low) / 255` and `z = round(−128 − low / s)`, the range widened to hold 0 exactly
    (Jacob et al. 2018, eq. 12). The gradient passes where nothing is clamped (straight through).

    >>> rounded_inputs(torch.tensor([0.0, 0.4, 300.0]), 0.0, 255.0)
    tensor([  0.,   0., 255.])
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (HIGH - LOW) or 1.0
    return torch.fake_quantize_per_tensor_affine(inputs.float(), scale, round(LOW - low / scale), LOW, HIGH)


def rounded_weight(weight: Float[Tensor, " outputs *rest"]) -> Float[Tensor, " outputs *rest"]:
    """A weight on a symmetric INT8 grid for each output: `clamp(round(w / s), −127, 127) · s`, `s = max|w| / 127`.

    A factor of an output, such as that of a BatchNorm behind it, changes the grid by the same factor: it
    does not matter that the file has both multiplied.

    >>> rounded_weight(torch.tensor([[127.0, 0.6], [0.0, 0.0]]))
    tensor([[127.,   1.],
            [  0.,   0.]])
    """
    weight = weight.float()
    scale = weight.detach().abs().flatten(1).amax(1) / HIGH
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zeros = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -HIGH, HIGH)


class RoundedLinear(nn.Linear):
    """A linear layer that rounds; its state is that of the plain one."""

    replaces: ClassVar[type[nn.Module]] = nn.Linear

    def __init__(self, layer: nn.Linear, low: float, high: float):
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None)
        self.load_state_dict(layer.state_dict())
        self.low, self.high = low, high

    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.linear(rounded_inputs(input, self.low, self.high), rounded_weight(self.weight), self.bias)


class RoundedConv2d(nn.Conv2d):
    """A convolution that rounds; its state is that of the plain one."""

    replaces: ClassVar[type[nn.Module]] = nn.Conv2d

    def __init__(self, layer: nn.Conv2d, low: float, high: float):
        super().__init__(
            *(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation),  # type: ignore[arg-type]
            groups=layer.groups,
            bias=layer.bias is not None,
            padding_mode=layer.padding_mode,
        )
        self.load_state_dict(layer.state_dict())
        self.low, self.high = low, high

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(rounded_inputs(input, self.low, self.high), rounded_weight(self.weight), self.bias)


_ROUNDED = {kind.replaces: kind for kind in (RoundedLinear, RoundedConv2d)}


def with_rounding(network: nn.Module, inputs: Tensor) -> nn.Module:
    """A copy whose linear layers and 2D convolutions round, with the ranges that their inputs have on `inputs` [n, …].

    Its state dict has the keys and shapes of the network's.
    """
    layers = {name: layer for name, layer in network.named_modules() if type(layer) in _ROUNDED}
    ranges = ranges_of(network, list(layers), inputs)
    made = {name: _ROUNDED[type(layer)](layer, *ranges[name]) for name, layer in layers.items()}
    return replaced(network, made)


def ranges_of(network: nn.Module, names: list[str], inputs: Tensor) -> dict[str, tuple[float, float]]:
    """The smallest and the largest value that each of these layers reads; (0, 0) for one that is not called."""
    found = dict.fromkeys(names, (0.0, 0.0))

    def watch(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            low, high = arguments[0].aminmax()
            found[name] = min(found[name][0], float(low)), max(found[name][1], float(high))

        return network.get_submodule(name).register_forward_pre_hook(hook)

    handles = [watch(name) for name in names]
    try:
        with evaluating(network), torch.no_grad():
            for batch in inputs.split(64):
                network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return found
