"""A small convolutional network, for images of up to about 64 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Lt
from torch import Tensor, nn

from limbeck.core import UsageError, bad_value
from limbeck.networks import Network

__all__ = ["Cnn"]


class Cnn(Network):
    """Convolutions, each with batch normalisation, ReLU and 2×2 max pooling, one hidden layer, a head.

    widths: channels of each convolution; every one halves the image. kernel: their size, an odd
    number. With widths 32 and 64 and 128 hidden units on 1×28×28 and 10 classes it has 421,834
    parameters.

    >>> import torch
    >>> network = Cnn(widths=[8, 16], hidden=32)
    >>> network.build((1, 28, 28), 10)
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        widths: Sequence[Annotated[int, Gt(0)]] = (32, 64),
        hidden: Annotated[int, Gt(0)] = 128,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        kernel: Annotated[int, Ge(3)] = 3,
    ):
        super().__init__()
        if not widths or any(width < 1 for width in widths):
            raise bad_value("widths", "cnn", "a list of positive channel numbers", list(widths))
        if kernel < 3 or kernel % 2 == 0:
            raise bad_value("kernel", "cnn", "an odd number ≥ 3", kernel)
        self.widths = tuple(widths)
        self.hidden = hidden
        self.dropout = dropout
        self.kernel = kernel

    def build(self, shape: tuple[int, ...], outputs: int) -> None:
        if len(shape) != 3:
            raise UsageError(
                f"cnn reads images [channels, height, width]. Got samples of shape {list(shape)}: use mlp."
            )
        channels, height, width = shape
        shrink = 2 ** len(self.widths)
        if min(height, width) < shrink:
            raise UsageError(
                f"The 'widths' of cnn must be at most {min(height, width).bit_length() - 1} for images of "
                f"{height}×{width}, since each halves the image. Got {list(self.widths)}."
            )
        layers: list[nn.Module] = []
        for size in self.widths:
            convolution = nn.Conv2d(channels, size, self.kernel, padding=self.kernel // 2)
            layers += [convolution, nn.BatchNorm2d(size), nn.ReLU(), nn.MaxPool2d(2)]
            channels = size
        self.body = nn.Sequential(*layers)
        flat = channels * (height // shrink) * (width // shrink)
        self.neck = nn.Sequential(nn.Flatten(), nn.Linear(flat, self.hidden), nn.ReLU(), nn.Dropout(self.dropout))
        self.head = nn.Linear(self.hidden, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.neck(self.body(inputs)))
