"""A stack of denoising layers, for words and other wide vectors: the network of the method `msda`."""

from __future__ import annotations

import itertools
import math
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from limbeck.core import bad_value
from limbeck.networks import Network

__all__ = ["Denoising"]


class Denoising(Network):
    """Layers `h = tanh(W h)`, and a linear head that reads the input and all of them side by side.

    layers: how many. width: of each, at most that of the input. Inputs of any shape are flattened.
    The method `msda` solves for its weights; it may be trained by steps like any other network, too.

    >>> network = Denoising(layers=2, width=16)
    >>> network.build((20,), 3)
    >>> network(torch.zeros(2, 20)).shape, network.head.in_features
    (torch.Size([2, 3]), 52)
    """

    def __init__(self, layers: Annotated[int, Ge(1)] = 5, width: Annotated[int, Ge(1)] = 1000):
        super().__init__()
        for name, value in (("layers", layers), ("width", width)):
            if value < 1:
                raise bad_value(name, "denoising", "≥ 1", value)
        self.layers = layers
        self.width = width

    def build(self, shape: tuple[int, ...], outputs: int) -> None:
        inputs = math.prod(shape)
        width = min(self.width, inputs)
        sizes = [inputs, *[width] * self.layers]
        self.body = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(sizes))
        self.head = nn.Linear(sum(sizes), outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        seen = [hidden := inputs.flatten(1)]
        for layer in self.body:
            seen.append(hidden := layer(hidden).tanh())
        return self.head(torch.cat(seen, dim=1))
