from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from limbeck.core import UsageError, bad_value, did_you_mean

__all__ = ["frozen_layers", "layers_with_parameters"]


def layers_with_parameters(network: nn.Module) -> list[str]:
    """Names of the modules that hold parameters or statistics of their own, input side first."""
    return [
        name
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False)) or any(True for _ in module.buffers(recurse=False))
    ]


def frozen_layers(network: nn.Module, freeze: float | Sequence[str]) -> list[str]:
    """The layers that `freeze` names: a fraction of them from the input side, or by (prefix of) name.

    >>> frozen_layers(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), 0.5)
    ['0']
    """
    layers = layers_with_parameters(network)
    if isinstance(freeze, int | float):
        if not 0 <= freeze < 1:
            raise bad_value("freeze", "fine_tune", "a fraction in [0, 1), or a list of layer names", freeze)
        return layers[: math.floor(freeze * len(layers))]
    frozen: list[str] = []
    for wanted in freeze:
        found = [layer for layer in layers if layer == wanted or layer.startswith(f"{wanted}.")]
        if not found:
            known = [name for name, _ in network.named_modules() if name]
            raise UsageError(f"The 'freeze' of fine_tune names no layer: {wanted!r}. {did_you_mean(wanted, known)}")
        frozen += found
    if set(frozen) == set(layers):
        raise UsageError("The 'freeze' of fine_tune freezes every layer, so nothing would train.")
    return frozen
