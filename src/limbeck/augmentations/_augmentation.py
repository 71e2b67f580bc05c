from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from limbeck.core import Draws

__all__ = ["Augmentation"]


class Augmentation(ABC):
    """A random change of inputs: `augmentation(inputs, draws)` with inputs [n, ...], standardised.

    Each sample's change is a function of the sample and of its own `draws`, to the last bit, so that a stored
    answer belongs to a view whenever it is drawn. `mixes`: it combines samples of a batch, so no store can
    replay it. Settings are plain keyword arguments, kept under their names.
    """

    mixes: ClassVar[bool] = False

    def check(self, shape: tuple[int, ...]) -> None:  # noqa: B027 (any shape suits, unless a part says otherwise)
        """`UsageError` where samples of this shape do not suit."""

    @abstractmethod
    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        """The changed inputs, in a tensor of their own or the same where nothing changes."""

    def identity(self) -> str:
        """What it is, with all its settings: two that are equal here change a view equally."""
        kind = type(self)
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in inspect.signature(kind).parameters)
        return f"{kind.__module__}:{kind.__qualname__}({settings})"
