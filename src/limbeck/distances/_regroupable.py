from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from limbeck.distances._distance import Distance

__all__ = ["Regroupable"]


class Regroupable(Distance):
    """A distance that computes its costly part once for many groupings of the same points.

    Permutation tests and subsampling regroup one pooled sample hundreds of times; what depends on
    the points alone (a kernel, inner products) is the same each time.
    """

    @abstractmethod
    def regroup(
        self, pooled: Float[Tensor, "points d"], first: Float[Tensor, "p points"], second: Float[Tensor, "p points"]
    ) -> Float[Tensor, " p"]:
        """The distance of each of p groupings; `first[i, j]` is 1 where point j is in the first group of grouping i.

        A point in neither group is left out.
        """
