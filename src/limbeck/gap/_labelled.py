"""What every transferability score does first: leave out unknown labels, check, and compute in float64."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from torch import Tensor

from limbeck.core import UsageError

__all__ = ["labelled"]


def labelled(owner: str, labels: Int[Tensor, " n"], values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The values of the samples whose label is known, float64 (integers as they are), and these labels from 0 on.

    Raises `UsageError` for unequal lengths, fewer than two classes, and values that are not finite.

    >>> import torch
    >>> rows, classes = labelled("h_score", torch.tensor([7, -1, 3]), torch.tensor([[1.0], [2.0], [4.0]]))
    >>> rows.tolist(), classes.tolist()
    ([[1.0], [4.0]], [1, 0])
    """
    if len(values) != len(labels):
        raise UsageError(f"The samples of {owner} must have one label each. Got {len(values)} and {len(labels)}.")
    known = (labels >= 0).cpu()
    rows, names = values.detach().cpu()[known], labels.cpu()[known].numpy()
    chosen = (rows.double() if rows.is_floating_point() else rows).numpy()
    if not np.isfinite(chosen).all():
        raise UsageError(f"The values of {owner} are not finite: fill or remove those samples first.")
    found, classes = np.unique(names, return_inverse=True)
    if len(found) < 2:
        raise UsageError(
            f"The labels of {owner} must be of two classes or more: with {len(found)} there is nothing to tell apart."
        )
    return chosen, classes
