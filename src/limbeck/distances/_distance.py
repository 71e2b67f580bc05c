from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

__all__ = ["Distance"]


class Distance(ABC):
    """How far two samples of points are apart: `distance(x, y)` with x [n, d] and y [m, d].

    Settings are plain keyword arguments of the constructor. `paired`: row i of x belongs to row i
    of y. `needs_labels`: it cannot be computed from points alone. `differentiable`: gradients
    reach x and y, so that `align` can use it as a loss.
    """

    paired: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        """The distance as a scalar tensor."""
