from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from limbeck.core import Batch, Knowledge, Outputs, Spec

__all__ = ["Objective", "Samples"]

Samples = Literal["source", "labelled", "target", "both"]


class Objective(nn.Module, ABC):
    """The base of the room: one term of a loss, `forward(outputs, knowledge, batch)` → scalar.

    needs: what must be there, of "labels", "logits" (the teacher's), "features" (the teacher's),
    "classes" (a classification task) and "domains" (several source domains, told apart:
    `batch.members`). An objective that reads "both" samples and "labels" gets the source's:
    `batch.source.labels`. samples: which samples it reads where a recipe does not say: "source",
    "labelled" (the k labelled target samples), "target", or "both" (source rows, then target rows:
    `outputs.source`, `outputs.target`). The weight and its schedule are not the objective's: a
    `Term` holds them.
    """

    needs: frozenset[str] = frozenset()
    samples: Samples = "target"

    def build(self, student: Spec, knowledge: Spec) -> None:
        """Make what depends on the two networks' sizes (projections, discriminators)."""

    def layers(self) -> frozenset[str]:
        """The student layers that `forward` reads, beyond the logits."""
        return frozenset()

    def knowledge_layers(self) -> frozenset[str]:
        """The teacher layers that `forward` reads, beyond the logits."""
        return frozenset()

    def at(self, progress: float) -> None:
        """Called before each step with the share of training done, in [0, 1), for inner schedules."""

    def watched(self) -> dict[str, Tensor]:
        """Scalars that are worth a look at each evaluation, by name; they stay on the device."""
        return {}

    @abstractmethod
    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        """The loss, averaged over the batch."""
