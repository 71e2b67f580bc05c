from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from limbeck.core import Batch, Knowledge, Outputs, Task
from limbeck.objectives import Objective
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.mean_squared_error import MeanSquaredError

__all__ = ["hard_label_losses", "hard_objective", "sample_losses"]


def hard_objective(task: Task, label_smoothing: float = 0.0) -> Objective:
    """Cross-entropy for classes, squared error for values."""
    return CrossEntropy(label_smoothing) if task.is_classification else MeanSquaredError(to="labels")


def hard_label_losses(outputs: Outputs, batch: Batch, objective: Objective) -> dict[str, Tensor]:
    """The one loss of the methods that learn from hard labels alone."""
    return {"hard_labels": objective(outputs, Knowledge(), batch)}


def sample_losses(outputs: Outputs, labels: Int[Tensor, " n"] | Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Each sample's cross-entropy, or squared error where the labels are values, in float32.

    >>> import torch
    >>> sample_losses(Outputs(torch.tensor([[0.5], [2.0]])), torch.tensor([0.0, 2.0]))
    tensor([0.2500, 0.0000])
    """
    if labels.is_floating_point():
        return (outputs.logits.float().squeeze(1) - labels).square()
    return functional.cross_entropy(outputs.logits.float(), labels, reduction="none")
