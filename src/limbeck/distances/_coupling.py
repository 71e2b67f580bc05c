from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import UsageError

__all__ = ["coupling"]

PIVOTS = 20_000_000
"""Of the network simplex: many times what a few thousand points take."""


def coupling(cost: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """The cheapest coupling of n and m points of equal weight, exactly; its sum is 1 (POT, on the CPU).

    Costs that are not finite have none: it is NaN then. Errors: `UsageError` where POT does not come to the end.

    >>> coupling(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[0.0000, 0.5000],
            [0.5000, 0.0000]])
    """
    import ot

    if not cost.isfinite().all():
        return torch.full_like(cost, torch.nan)
    costs = cost.double().cpu().numpy()
    # POT's tolerances are absolute, so the unit of the costs must not count.
    plan, found = ot.emd([], [], costs / (np.abs(costs).max() or 1.0), numItermax=PIVOTS, log=True)
    if found["warning"]:
        raise UsageError(
            f"The optimal transport of {len(cost)} and {cost.shape[1]} points was not found: {found['warning']} "
            "Compare fewer points."
        )
    return torch.from_numpy(plan).to(cost)
