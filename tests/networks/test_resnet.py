"""The residual network against the sizes that its paper gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from limbeck.core import UsageError
from limbeck.networks.resnet import Resnet


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_the_sizes_of_the_paper(depth: int, millions: float) -> None:
    """He et al. 2016, table 6."""
    network = Resnet(depth=depth)
    network.build((3, 32, 32), 10)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    layers = [module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    shortcuts = [name for name, module in network.named_modules() if name.endswith("shortcut.0")]
    assert len(layers) - len(shortcuts) == depth


def test_the_stages_halve_the_image() -> None:
    network = Resnet(depth=8, width=0.5)
    network.build((1, 20, 12), 3)
    hidden, sizes = network.stem(torch.zeros(2, 1, 20, 12)), []
    for stage in network.stages:
        hidden = stage(hidden)
        sizes.append(tuple(hidden.shape[1:]))
    assert sizes == [(8, 20, 12), (16, 10, 6), (32, 5, 3)]


@pytest.mark.parametrize("depth", [7, 9, 21, 2])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(UsageError, match=r"'depth' of resnet must be 6 n \+ 2"):
        Resnet(depth=depth)


def test_tiny_images_are_refused() -> None:
    with pytest.raises(UsageError, match=r"4×4 or more. Got \[3, 2, 9\]"):
        Resnet(depth=8).build((3, 2, 9), 3)
