"""Transfer component analysis."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import bad_value
from limbeck.methods._components import mean_differences, transfer_directions
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS

__all__ = ["Tca"]


class Tca(Shallow):
    """A linear model in directions that keep the variance of both domains and bring their means together.

    Paper: Pan et al. 2011, eq. 11 with a linear kernel, in its primal form (Long et al. 2013, eq. 8 without
    classes). Standardising "each" domain already makes the means equal, so the default is "source".

    components: at most the width of the features. penalty: on the squared length of a direction.
    The other settings: as every shallow method's.

    >>> Tca(penalty=0.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'penalty' of tca must be > 0. Got 0.0.
    """

    def __init__(
        self,
        components: Annotated[int, Ge(1)] = 100,
        penalty: Annotated[float, Gt(0)] = 1.0,
        standardise: Literal["each", "source"] = "source",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        self.positive(penalty=penalty)
        if components < 1:
            raise bad_value("components", self.name, "≥ 1", components)
        self.components = components
        self.penalty = penalty

    def kept(self, width: int) -> int:
        return min(self.components, width)

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        found = transfer_directions(x, y, mean_differences(x, y), self.penalty, self.kept(x.shape[1]))
        return Adapted(x @ found, labels, map=found.T)
