"""The loss of regression, against labels or against the teacher."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs, Spec, UsageError
from limbeck.objectives import Objective, Samples

__all__ = ["MeanSquaredError"]


class MeanSquaredError(Objective):
    """Squared error of the outputs, averaged over batch and outputs.

    Paper: Ba & Caruana 2014, eq. 1, for the teacher's raw outputs (to: "teacher"); with labels
    (to: "labels") it is least squares.
    Needs: labels, or the teacher's logits.
    Range: ≥ 0, and 0 when they agree. Regression targets are in units of the source's std.
    """

    samples: Samples = "target"

    def __init__(self, to: Literal["labels", "teacher"] = "teacher"):
        super().__init__()
        self.goal = to  # nn.Module.to is taken
        self.needs = frozenset({"labels"}) if to == "labels" else frozenset({"logits"})
        self.samples = "source" if to == "labels" else "target"

    def build(self, student: Spec, knowledge: Spec) -> None:
        if self.goal == "labels" and student.outputs != 1:
            raise UsageError(
                f"mean_squared_error compares values with labels, but the student has {student.outputs} outputs. Use "
                "cross_entropy for classes."
            )
        if self.goal == "teacher" and student.outputs != knowledge.outputs:
            raise UsageError(
                f"mean_squared_error compares equal outputs, but the student has {student.outputs} and the teacher "
                f"{knowledge.outputs}."
            )

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        wanted = knowledge.scores() if self.goal == "teacher" else batch.labels.unsqueeze(1)
        return mean_squared_error(outputs.logits, wanted)


def mean_squared_error(student: Float[Tensor, "n outputs"], wanted: Float[Tensor, "n outputs"]) -> Float[Tensor, ""]:
    """The mean of `(s − t)²`, in float32.

    >>> import torch
    >>> mean_squared_error(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])).item()
    5.0
    """
    return (student.float() - wanted.detach().float()).square().mean()
