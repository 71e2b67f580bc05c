"""Gaussian noise."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.core import Draws

__all__ = ["Noise"]


class Noise(Augmentation):
    """Add Gaussian noise, `x + deviation · z`, to inputs of any shape.

    deviation: in standard deviations of the source's inputs, which are standardised.

    >>> import torch
    >>> Noise(deviation=0.5)(torch.zeros(2, 3), Draws(0, torch.arange(2))).shape
    torch.Size([2, 3])
    """

    def __init__(self, deviation: Annotated[float, Ge(0)] = 0.1):
        self.deviation = deviation

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        return inputs + self.deviation * draws.normal("noise", size=tuple(inputs.shape[1:]))
