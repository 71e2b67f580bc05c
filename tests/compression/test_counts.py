"""What is counted of a network, against counts by hand."""

from __future__ import annotations

import torch
from torch import nn

from limbeck.compression._counts import multiply_adds, network_bytes, nonzero_parameters, peak_memory

NETWORK = nn.Sequential(
    *(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
    nn.Linear(8 * 16, 2),
).eval()


def test_multiply_adds() -> None:
    assert multiply_adds(NETWORK, torch.zeros(4, 3, 8, 8)) == 3 * 8 * 9 * 64 + 8 * 16 * 2
    depthwise = nn.Conv2d(6, 6, 3, groups=6, bias=False)
    assert multiply_adds(depthwise, torch.zeros(1, 6, 5, 5)) == 6 * 9 * 9


def test_bytes_and_zeros() -> None:
    assert network_bytes(NETWORK) == 4 * (3 * 8 * 9 + 4 * 8 + 128 * 2 + 2) + 8  # a BatchNorm also counts its batches
    layer = nn.Linear(3, 2)
    layer.weight.data[0] = 0
    layer.bias.data.fill_(1)
    assert nonzero_parameters(layer) == 3 + 2


def test_peak_memory() -> None:
    inputs = torch.zeros(32, 3, 8, 8)
    maps = 32 * 8 * 64 * 4  # what the convolution gives, and BatchNorm makes of it, live together
    assert peak_memory(NETWORK, inputs) == network_bytes(NETWORK) + inputs.numel() * 4 + 2 * maps
