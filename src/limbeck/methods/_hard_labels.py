from __future__ import annotations

from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs, Task
from limbeck.objectives import Objective
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.mean_squared_error import MeanSquaredError

__all__ = ["hard_label_losses", "hard_objective"]


def hard_objective(task: Task, label_smoothing: float = 0.0) -> Objective:
    """Cross-entropy for classes, squared error for values."""
    return CrossEntropy(label_smoothing) if task.is_classification else MeanSquaredError(to="labels")


def hard_label_losses(outputs: Outputs, batch: Batch, objective: Objective) -> dict[str, Tensor]:
    """The one loss of the methods that learn from hard labels alone."""
    return {"hard_labels": objective(outputs, Knowledge(), batch)}
