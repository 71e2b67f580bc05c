"""What is needed to go on from the step at which a training was stopped, bit for bit."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limbeck.core import RunError
from limbeck.core.files import atomic_path

__all__ = ["Progress", "load_checkpoint", "save_checkpoint"]


@dataclass
class Progress:
    """Where a training stands.

    scores: each evaluation's validator scores; chosen: index of the best so far. diagnostics: each evaluation's, by
    name; bandwidth, expected (class shares) and tells (how well the classes were told apart when they were estimated)
    are what they are measured by. sound: whether each evaluation's answers had not collapsed. learnt: what the
    student knew of the source at each, from 0 (chance) to 1. best: the evaluated student's weights at the chosen one;
    source_side: of that which the source is shown to, where it is another. collapse: the sentence, where it ended so.
    """

    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    epochs: list[int] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    logits: list[Tensor] = field(default_factory=list)
    chosen: int = -1
    best: dict[str, Tensor] = field(default_factory=dict)
    source_side: dict[str, Tensor] = field(default_factory=dict)
    sums: dict[str, Tensor] = field(default_factory=dict)
    counted: int = 0
    stopped: bool = False
    diagnostics: dict[str, list[float]] = field(default_factory=dict)
    bandwidth: float = 0.0
    expected: list[float] = field(default_factory=list)
    tells: float = -1.0
    sound: list[bool] = field(default_factory=list)
    learnt: list[float] = field(default_factory=list)
    collapse: str | None = None


def save_checkpoint(path: Path, progress: Progress, method: dict[str, Any], optimisers: dict[str, Any]) -> None:
    """Write everything, whole or not at all."""
    state = {"progress": vars(progress), "method": method, "optimisers": optimisers}
    file = io.BytesIO()  # on a full disk torch's own writer raises an error that does not say so
    torch.save(state, file)
    with atomic_path(path) as temporary:
        temporary.write_bytes(file.getbuffer())


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, Any], dict[str, Any]] | None:
    """What `save_checkpoint` wrote, or None where there is nothing; nothing untrusted is unpickled."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return Progress(**state["progress"]), state["method"], state["optimisers"]
    except Exception as error:  # any damage: which file, and what to do; torch's own advice is to trust the file
        raise RunError(
            f"The checkpoint {path} cannot be read ({type(error).__name__}). Remove it to train this row anew."
        ) from error
