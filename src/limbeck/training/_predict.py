from __future__ import annotations

import torch
from torch import Tensor

from limbeck.networks import Observed, evaluating

__all__ = ["predict", "represent"]


@torch.no_grad()
def predict(student: Observed, inputs: Tensor, batch_size: int = 256, rows: Tensor | None = None) -> Tensor:
    """Logits [n, outputs] in float32 on the CPU, in evaluation mode, in batches.

    rows: [n] the inputs that are meant, None for all; those of a file come into memory by batch.
    """
    return _in_batches(student, inputs, batch_size, rows, features=False)


@torch.no_grad()
def represent(student: Observed, inputs: Tensor, batch_size: int = 256, rows: Tensor | None = None) -> Tensor:
    """The representation [n, d] that the head reads, as `predict`."""
    return _in_batches(student, inputs, batch_size, rows, features=True)


def _in_batches(student: Observed, inputs: Tensor, batch_size: int, rows: Tensor | None, *, features: bool) -> Tensor:
    device = next(student.parameters()).device
    parts = []
    with evaluating(student):
        batches = inputs.split(batch_size) if rows is None else (inputs[part] for part in rows.split(batch_size))
        for batch in batches:
            outputs = student(batch.to(device))
            parts.append((outputs.feature() if features else outputs.logits).float().cpu())
    return torch.cat(parts)
