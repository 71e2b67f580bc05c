"""Mixtures of two samples."""

from __future__ import annotations

from functools import cache
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.core import Draws

__all__ = ["Mixup"]

STEPS = 4096


class Mixup(Augmentation):
    """Mix each sample with the one before it in the batch: `λ x_i + (1 − λ) x_{i−1}`, λ ~ Beta(alpha, alpha).

    Paper: Zhang et al. 2018, eq. 1, with a λ for each sample. The labels are not mixed: it serves where a live
    teacher answers the mixture itself, and no store can replay it, since a mixture depends on the batch.
    λ comes from the distribution's quantile function, tabulated in 4096 steps.

    >>> Mixup()(torch.rand(2, 3), Draws(0, torch.arange(2))).shape
    torch.Size([2, 3])
    """

    mixes: ClassVar[bool] = True

    def __init__(self, alpha: Annotated[float, Gt(0)] = 0.2):
        self.alpha = alpha

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        return mixed(inputs, beta(draws.uniform("share"), self.alpha))


def mixed(inputs: Float[Tensor, " n *shape"], share: Float[Tensor, " n"]) -> Float[Tensor, " n *shape"]:
    """`share · x_i + (1 − share) · x_{i−1}`; before the first comes the last.

    >>> mixed(torch.tensor([[0.0], [4.0]]), torch.tensor([0.75, 0.5]))
    tensor([[1.],
            [2.]])
    """
    share = share.view(-1, *[1] * (inputs.ndim - 1))
    return share * inputs + (1 - share) * inputs.roll(1, 0)


def beta(uniform: Float[Tensor, " n"], alpha: float) -> Float[Tensor, " n"]:
    """Numbers uniform in [0, 1) made Beta(alpha, alpha).

    >>> beta(torch.tensor([0.0, 0.5]), 1.0)
    tensor([0.0000, 0.5000])
    """
    table = _quantiles(alpha, uniform.device)
    place = uniform * STEPS
    step = place.long()
    return table[step] + (place - step) * (table[step + 1] - table[step])


@cache
def _quantiles(alpha: float, device: torch.device) -> Float[Tensor, " points"]:
    from scipy.special import betaincinv

    return torch.from_numpy(betaincinv(alpha, alpha, np.linspace(0, 1, STEPS + 1))).float().to(device)
