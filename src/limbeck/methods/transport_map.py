"""Optimal transport: each source sample moved to where the target has its mass."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import bad_value
from limbeck.distances import squared_distances
from limbeck.methods._shallow import Adapted, Shallow, transport_plan
from limbeck.networks import INPUTS

__all__ = ["TransportMap"]


class TransportMap(Shallow):
    """A linear model of source samples that were moved onto the target by the cheapest transport.

    Paper: Courty et al. 2017a, eq. 7 (exact), eq. 9 (with entropy) and eq. 14 (the barycentric map); computed by
    POT. Costs are squared distances, as a share of their mean.

    entropy: weight of the plan's entropy; 0 is the exact plan. The other settings: as every shallow method's.

    >>> TransportMap(entropy=-1.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'entropy' of transport_map must be ≥ 0. Got -1.0.
    """

    pairwise: ClassVar[bool] = True

    def __init__(
        self,
        entropy: Annotated[float, Ge(0)] = 0.0,
        standardise: Literal["each", "source"] = "each",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        if entropy < 0:
            raise bad_value("entropy", self.name, "≥ 0", entropy)
        self.entropy = entropy

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        return Adapted(transported(x, y, self.entropy), labels)


def transported(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], entropy: float) -> Float[Tensor, "n d"]:
    """Each x as the mean of the y that the plan couples it with: `n G y` (Courty et al. 2017a, eq. 14).

    >>> import torch
    >>> transported(torch.tensor([[0.0], [9.0]]), torch.tensor([[8.0], [1.0]]), 0.0).flatten().tolist()
    [1.0, 8.0]
    """
    cost = squared_distances(x.double(), y.double())
    coupled = transport_plan(cost / cost.mean().clamp(min=1e-12), entropy)
    return (coupled @ y.double() / coupled.sum(1, keepdim=True)).to(x)
