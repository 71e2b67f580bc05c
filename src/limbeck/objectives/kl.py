"""Distillation of soft labels."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.core import Batch, Knowledge, Outputs, Spec, UsageError, bad_value
from limbeck.objectives import Objective, Samples, Schedule, value_at

__all__ = ["Kl"]


class Kl(Objective):
    """Match the teacher's soft labels: `T² · KL(softmax(t/T) ‖ softmax(s/T))`, averaged over the batch.

    Paper: Hinton et al. 2015, section 2; T² keeps the gradient's size as T grows.
    Needs: the teacher's logits, in the student's order of classes.
    Range: ≥ 0, and 0 when both give the same distribution.

    temperature: a number, or a schedule `{start: 8, end: 2}`.
    """

    needs: frozenset[str] = frozenset({"logits", "classes"})
    samples: Samples = "target"

    def __init__(self, temperature: Annotated[float, Gt(0)] | Schedule = 4.0):
        super().__init__()
        lowest = temperature if isinstance(temperature, float | int) else min(temperature.start, temperature.end)
        if lowest <= 0:
            raise bad_value("temperature", "kl", "> 0", lowest)
        self.temperature = temperature
        self.current = value_at(temperature, 0.0)

    def build(self, student: Spec, knowledge: Spec) -> None:
        if student.outputs != knowledge.outputs:
            raise UsageError(
                f"kl compares equal classes, but the student has {student.outputs} outputs and the teacher "
                f"{knowledge.outputs}. Use a teacher of the same classes in the same order."
            )

    def at(self, progress: float) -> None:
        self.current = value_at(self.temperature, progress)

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return kl(outputs.logits, knowledge.scores(), self.current)


def kl(
    student: Float[Tensor, "n classes"], teacher: Float[Tensor, "n classes"], temperature: float = 4.0
) -> Float[Tensor, ""]:
    """`T² · mean over the batch of Σ_c p_c (log p_c − log q_c)`, p of the teacher, q of the student, in float32.

    >>> import torch
    >>> kl(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0]])).item()
    0.0
    """
    log_student = nn.functional.log_softmax(student.float() / temperature, dim=1)
    log_teacher = nn.functional.log_softmax(teacher.detach().float() / temperature, dim=1)
    divergence = nn.functional.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)
    return divergence * temperature**2
