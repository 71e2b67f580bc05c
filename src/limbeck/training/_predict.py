from __future__ import annotations

import torch
from torch import Tensor

from limbeck.networks import Observed, evaluating

__all__ = ["predict", "represent"]


@torch.no_grad()
def predict(student: Observed, inputs: Tensor, batch_size: int = 1024) -> Tensor:
    """Logits [n, outputs] in float32 on the CPU, in evaluation mode, in batches."""
    return _in_batches(student, inputs, batch_size, features=False)


@torch.no_grad()
def represent(student: Observed, inputs: Tensor, batch_size: int = 1024) -> Tensor:
    """The representation [n, d] that the head reads, as `predict`."""
    return _in_batches(student, inputs, batch_size, features=True)


def _in_batches(student: Observed, inputs: Tensor, batch_size: int, *, features: bool) -> Tensor:
    device = next(student.parameters()).device
    parts = []
    with evaluating(student):
        for batch in inputs.split(batch_size):
            outputs = student(batch.to(device))
            parts.append((outputs.feature() if features else outputs.logits).float().cpu())
    return torch.cat(parts)
