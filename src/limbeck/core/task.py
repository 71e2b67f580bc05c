"""What is predicted, and the shapes that a network turns into each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["Spec", "Task"]


@dataclass(frozen=True)
class Task:
    """What the student predicts.

    For classes, `classes` names them in the order of the outputs. For regression there is one
    output; it is trained on `(value - offset) / scale`, fitted on the source, and `restore`
    brings predictions back to the user's unit.
    """

    kind: Literal["classification", "regression"]
    classes: tuple[str, ...] = ()
    offset: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """The width of the last layer."""
        return len(self.classes) if self.kind == "classification" else 1

    @property
    def is_classification(self) -> bool:
        return self.kind == "classification"

    def restore(self, outputs: Tensor) -> Tensor:
        """Regression outputs in the user's unit, shape [n]; class scores as they are, [n, classes]."""
        if self.is_classification:
            return outputs
        return outputs.to(torch.float32).squeeze(-1) * self.scale + self.offset

    def state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Task:
        return cls(**{**state, "classes": tuple(state["classes"])})


@dataclass(frozen=True)
class Spec:
    """What a network (or stored knowledge) gives for one sample: its width and its inner layers.

    Shapes are without the batch dimension. `outputs` is 0 where there are none.
    """

    outputs: int
    layers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
