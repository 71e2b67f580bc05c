"""The CIFAR-style residual network, by depth and width."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt
from torch import Tensor, nn

from limbeck.core import UsageError, bad_value
from limbeck.networks import Network

__all__ = ["Resnet"]


class Resnet(Network):
    """Three stages of residual blocks with 16, 32 and 64 channels times `width` (He et al. 2016, section 4.2).

    depth = 6 n + 2 with n blocks a stage: 8, 14, 20, 32, 44, 56, 110. The first stage keeps the
    image's size, the next two halve it; shortcuts that change size are 1×1 convolutions.

    >>> import torch
    >>> network = Resnet(depth=8, width=0.5)
    >>> network.build((3, 32, 32), 10)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, depth: Annotated[int, Ge(8)] = 20, width: Annotated[float, Gt(0)] = 1.0):
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise bad_value("depth", "resnet", "6 n + 2 (8, 14, 20, 32, 44, 56, …)", depth)
        self.depth = depth
        self.width = width

    def build(self, shape: tuple[int, ...], outputs: int) -> None:
        if len(shape) != 3 or min(shape[1:]) < 4:
            raise UsageError(f"resnet reads images [channels, height, width] of 4×4 or more. Got {list(shape)}.")
        blocks = (self.depth - 2) // 6
        widths = [max(1, round(size * self.width)) for size in (16, 32, 64)]
        self.stem = _convolution(shape[0], widths[0], 3)
        stages: list[nn.Module] = []
        channels = widths[0]
        for stage, size in enumerate(widths):
            for block in range(blocks):
                stages.append(_Block(channels, size, stride=2 if stage and not block else 1))
                channels = size
        self.stages = nn.Sequential(*stages)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(channels, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.pool(self.stages(nn.functional.relu(self.stem(inputs)))))


class _Block(nn.Module):
    def __init__(self, channels: int, size: int, stride: int):
        super().__init__()
        self.first = _convolution(channels, size, 3, stride)
        self.second = _convolution(size, size, 3)
        same = stride == 1 and channels == size
        self.shortcut = nn.Identity() if same else _convolution(channels, size, 1, stride)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.second(nn.functional.relu(self.first(inputs)))
        return nn.functional.relu(hidden + self.shortcut(inputs))


def _convolution(channels: int, size: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, size, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(size)
    )
