from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.core import FEATURES, DomainView, Outputs
from limbeck.networks import Observed, evaluating

__all__ = ["keep_table", "said_of", "training_rows"]


def training_rows(target: DomainView) -> Tensor:
    """The places [n] of the samples that the stream "target" shows."""
    return torch.cat([target.splits["labelled"], target.splits["train"]])


@torch.no_grad()
def said_of(
    student: Observed, view: DomainView, rows: Tensor, layers: Sequence[str] = (FEATURES,), batch_size: int = 512
) -> Outputs:
    """What the student says of these samples [n], as they are: in evaluation mode and float32, on its device.

    layers: those that are kept of all samples.
    """
    device = next(student.parameters()).device
    parts = []
    with evaluating(student):
        for some in rows.split(batch_size):
            outputs = student(view.inputs[some].to(device))
            parts.append((outputs.logits.float(), {name: outputs.feature(name).float() for name in layers}))
    features = {name: torch.cat([said[name] for _, said in parts]) for name in layers}
    return Outputs(torch.cat([logits for logits, _ in parts]), features)


def keep_table(module: nn.Module, name: str, empty: Tensor) -> None:
    """Register a buffer that has a row for each sample from the first epoch on; what is loaded brings its length."""
    module.register_buffer(name, empty)
    module.register_load_state_dict_pre_hook(partial(_resize, name))


def _resize(name: str, module: nn.Module, state: Mapping[str, Any], prefix: str, *_: object) -> None:
    if (saved := state.get(prefix + name)) is not None:
        setattr(module, name, getattr(module, name).new_empty(saved.shape))
