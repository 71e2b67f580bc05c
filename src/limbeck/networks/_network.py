from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

__all__ = ["Network"]


class Network(nn.Module, ABC):
    """The base of limbeck's own networks. The settings come first, the sizes with `build`.

    After `build`, the submodule `head` maps the representation ("features") to the outputs.
    A network from elsewhere need not derive from this: any `nn.Module` that maps [n, ...] to
    [n, outputs] serves, by its dotted path.
    """

    @abstractmethod
    def build(self, shape: tuple[int, ...], outputs: int) -> None:
        """Make the layers for samples of `shape` and `outputs` classes; `UsageError` if they do not fit."""

    @abstractmethod
    def forward(self, inputs: Tensor) -> Tensor:
        """[n, *shape] → [n, outputs]."""
