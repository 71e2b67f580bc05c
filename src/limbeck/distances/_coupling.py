from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["coupling"]


def coupling(cost: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """The cheapest coupling of n and m points of equal weight, exactly; its sum is 1 (POT, on the CPU).

    >>> coupling(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[0.0000, 0.5000],
            [0.5000, 0.0000]])
    """
    import ot

    return torch.from_numpy(ot.emd([], [], cost.double().cpu().numpy())).to(cost)
