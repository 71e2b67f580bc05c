"""Subspace alignment: the source's principal directions turned into the target's."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import bad_value
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS

__all__ = ["SubspaceAlignment"]


class SubspaceAlignment(Shallow):
    """A linear model of the source in its principal directions, turned into those of the target.

    Paper: Fernando et al. 2013, eq. 2 and 3: source rows `x P_s P_sᵀ P_t`, target rows `y P_t`, with the first
    `components` principal directions P of each domain.

    components: at most the width of the features. The other settings: as every shallow method's.

    >>> SubspaceAlignment(components=0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'components' of subspace_alignment must be ≥ 1. Got 0.
    """

    def __init__(
        self,
        components: Annotated[int, Ge(1)] = 80,
        standardise: Literal["each", "source"] = "each",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        if components < 1:
            raise bad_value("components", self.name, "≥ 1", components)
        self.components = components

    def kept(self, width: int) -> int:
        return min(self.components, width)

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        count = self.kept(x.shape[1])
        source, target = directions(x, count), directions(y, count)
        aligned = source @ (source.T @ target)
        return Adapted(x @ aligned, labels, map=target.T, near=aligned.T)


def directions(x: Float[Tensor, "n d"], count: int) -> Float[Tensor, "d count"]:
    """The first principal directions, as columns.

    >>> directions(torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), 1).abs().round().flatten().tolist()
    [1.0, 0.0]
    """
    centred = x - x.mean(0)
    return torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :count]
