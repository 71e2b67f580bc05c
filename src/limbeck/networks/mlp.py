"""A multi-layer perceptron, for tables and other vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from limbeck.core import bad_value
from limbeck.networks import Network

__all__ = ["Mlp"]


class Mlp(Network):
    """Linear layers with batch normalisation, ReLU and dropout, then a linear head.

    hidden: the widths, input side first; an empty list gives a linear model. Inputs of any shape
    are flattened.

    >>> import torch
    >>> network = Mlp(hidden=[16])
    >>> network.build((4,), 3)
    >>> network(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        hidden: Sequence[Annotated[int, Gt(0)]] = (128, 64),
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        batch_norm: bool = True,
    ):
        super().__init__()
        if any(width < 1 for width in hidden):
            raise bad_value("hidden", "mlp", "positive widths", list(hidden))
        self.hidden = tuple(hidden)
        self.dropout = dropout
        self.batch_norm = batch_norm

    def build(self, shape: tuple[int, ...], outputs: int) -> None:
        width = math.prod(shape)
        layers: list[nn.Module] = [nn.Flatten()]
        for size in self.hidden:
            layers.append(nn.Linear(width, size, bias=not self.batch_norm))
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(size))
            layers.append(nn.ReLU())
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
            width = size
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs))
