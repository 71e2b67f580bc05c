"""What choosing a checkpoint without labels lost, looked up after the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import Task, bad_value
from limbeck.evaluation.statistics import sample_scores, statistic_for

__all__ = ["Regret", "regret"]


class Regret(NamedTuple):
    """The best checkpoint, the chosen one, and what lies between them: ≥ 0, in the metric's unit."""

    oracle: int
    chosen: int
    regret: float


def regret(
    scores: Sequence[float],
    logits: Float[Tensor, "checkpoints n outputs"],
    labels: Int[Tensor, " n"] | Float[Tensor, " n"],
    task: Task,
    metric: str | None = None,
    kept: int | None = None,
) -> Regret:
    """The regret of a validator that scored each checkpoint (higher is better, the first of equals, NaN never).

    Where the chosen checkpoint is among the best ones it is the oracle too, and the regret 0.

    logits: the checkpoints' outputs on the target's selection split; labels: of that split, in the
    user's unit. metric: "accuracy" or "rmse" by task, or "balanced_accuracy". kept: the checkpoint that was kept,
    where it is not the one with the highest score, such as one from before a collapse.

    >>> import torch
    >>> logits = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> regret([0.9, 0.1], logits, torch.tensor([1]), Task("classification", ("a", "b")))
    Regret(oracle=1, chosen=0, regret=1.0)
    """
    if len(scores) != len(logits) or not len(scores):
        raise bad_value("scores", "regret", f"one for each of {len(logits)} checkpoints, at least one", len(scores))
    metric = metric or ("accuracy" if task.is_classification else "rmse")
    counts = np.ones((1, len(labels)))
    quality = statistic_for(metric, labels)(counts, sample_scores(logits, labels, task))[0]
    loss = np.nan_to_num(quality if metric == "rmse" else -quality, nan=np.inf)
    chosen = int(np.argmax(np.nan_to_num(np.asarray(scores, dtype=float), nan=-np.inf))) if kept is None else kept
    oracle = chosen if loss[chosen] == loss.min() else int(loss.argmin())
    return Regret(oracle, chosen, float(loss[chosen] - loss[oracle]))
