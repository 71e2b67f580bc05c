from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["move_towards"]


@torch.no_grad()
def move_towards(average: nn.Module, network: nn.Module, share: Tensor) -> None:
    """`θ' ← (1 − share) θ' + share θ` for every parameter and buffer; integers, such as counters, are taken over.

    share: a scalar on the device of both, so that nobody waits for it.

    >>> average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> expected = (3 * average.weight + network.weight) / 4
    >>> move_towards(average, network, torch.tensor(0.25))
    >>> torch.allclose(average.weight, expected)
    True
    """
    new = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(new[name], share.to(value.dtype))
        else:
            value.copy_(new[name])
