from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor

from limbeck.networks import Observed, evaluating

__all__ = ["Seen", "observe", "predict", "represent"]


class Seen(NamedTuple):
    """Logits [n, outputs] of samples, and the representation [k, d] of all or some of them, in float32."""

    logits: Tensor
    features: Tensor


@torch.no_grad()
def observe(
    student: Observed,
    inputs: Tensor,
    shown: Bool[Tensor, " k"] | None = None,
    batch_size: int = 256,
    rows: Tensor | None = None,
) -> Seen:
    """In one pass what `predict` says of all inputs [n, ...], and what `represent` says of the `shown` ones, or all.

    rows: [k] the inputs that are meant, as in `predict`; k = n without them.
    """
    if shown is None:
        shown = torch.ones(len(inputs if rows is None else rows), dtype=torch.bool)
    device = next(student.parameters()).device
    logits, features = [], []
    with evaluating(student):
        for batch, some in zip(_batches(inputs, batch_size, rows), shown.split(batch_size), strict=True):
            outputs = student(batch.to(device))
            logits.append(outputs.logits.float().cpu())
            features.append(outputs.feature()[some.to(device)].float().cpu())
    return Seen(torch.cat(logits), torch.cat(features))


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
        for batch in _batches(inputs, batch_size, rows):
            outputs = student(batch.to(device))
            parts.append((outputs.feature() if features else outputs.logits).float().cpu())
    return torch.cat(parts)


def _batches(inputs: Tensor, batch_size: int, rows: Tensor | None) -> Iterable[Tensor]:
    return inputs.split(batch_size) if rows is None else (inputs[part] for part in rows.split(batch_size))
