"""MixVal: does the network say of a mixture what it says of the larger share?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.evaluation.feature_validators import canonical_order

__all__ = ["MixedConsistency", "mixed_consistency", "mixval"]

SHARE = 0.55
"""λ, the share of the first sample of a pair, as in the paper."""


class MixedConsistency(NamedTuple):
    """Shares in [0, 1] of mixtures that keep the prediction of their larger part, 0 where no pair can be made.

    within: pairs of one predicted class (are the clusters compact?); across: of two (do boundaries lie between them?).
    """

    within: float
    across: float


def mixval(
    predict: Callable[[Tensor], Tensor], target_inputs: Float[Tensor, m * shape], target_logits: Float[Tensor, "m c"]
) -> float:
    """The mean of both parts of `mixed_consistency`, in [0, 1]; higher is better.

    Paper: Hu et al. 2023 (MixVal). There the parts are joined by their mean rank over the checkpoints, which one
    checkpoint does not have: `combined({"within": …, "across": …})` gives it.

    >>> x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
    >>> mixval(lambda inputs: torch.cat([-inputs, inputs], 1), x, torch.cat([-x, x], 1)) > 0.7
    True
    """
    return sum(mixed_consistency(predict, target_inputs, target_logits)) / 2


@torch.no_grad()
def mixed_consistency(
    predict: Callable[[Tensor], Tensor], target_inputs: Float[Tensor, m * shape], target_logits: Float[Tensor, "m c"]
) -> MixedConsistency:
    """How often `argmax predict(λ x_i + (1 − λ) x_j)` is the prediction of x_i, for λ = 0.55.

    predict: inputs [k, *shape] → logits [k, c] in evaluation mode; it gets each sample once for either part.
    Paper: Hu et al. 2023, the interpolation consistency of pseudo-labels within and across clusters.
    Errors: `UsageError` where inputs are no floating point numbers, since words and categories cannot be mixed.

    >>> x = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
    >>> mixed_consistency(lambda inputs: torch.cat([-inputs, inputs], 1), x, torch.cat([-x, x], 1)).within
    1.0
    """
    if not target_inputs.is_floating_point():
        raise UsageError(f"mixval mixes inputs, and {target_inputs.dtype} cannot be mixed. Use another validator.")
    predicted = target_logits.argmax(1).cpu().numpy()
    order = canonical_order(target_inputs)
    order = order[generator(0, "mixval").permutation(len(order))]
    shares = []
    for first, second in (_within(order, predicted), _across(order, predicted)):
        if not len(first):
            shares.append(0.0)
            continue
        mixed = SHARE * target_inputs[first] + (1 - SHARE) * target_inputs[second]
        shares.append(float((predict(mixed).argmax(1).cpu().numpy() == predicted[first]).mean()))
    return MixedConsistency(*shares)


def _within(order: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each sample with the next one of its predicted class, in a circle."""
    members = [order[predicted[order] == c] for c in np.unique(predicted)]
    members = [rows for rows in members if len(rows) > 1]
    if not members:
        return np.empty(0, int), np.empty(0, int)
    return np.concatenate(members), np.concatenate([np.roll(rows, -1) for rows in members])


def _across(order: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each sample with the next one, in a circle, where they are of different predicted classes."""
    following = np.roll(order, -1)
    kept = predicted[order] != predicted[following]
    return order[kept], following[kept]
