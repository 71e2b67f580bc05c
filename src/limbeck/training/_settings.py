from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

__all__ = ["Training"]


@dataclass(frozen=True)
class Training:
    """How every row of a recipe is trained; a row may override single values.

    An epoch is one pass over the largest stream that the method reads; shorter streams start
    anew, each time in a new order. schedule: how the learning rate goes from the end of `warmup`
    (a share of the run) to the end. clip: the largest gradient norm, None for no clipping.
    patience: stop after so many evaluations without a better validator score, None for never.
    evaluate_every: epochs between two evaluations; each is a checkpoint that may be chosen.
    """

    epochs: Annotated[int, Gt(0)] = 30
    batch_size: Annotated[int, Gt(1)] = 64
    optimiser: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    weight_decay: Annotated[float, Ge(0)] = 1e-2
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: Annotated[float, Ge(0), Lt(1)] = 0.05
    clip: Annotated[float, Gt(0)] | None = None
    patience: Annotated[int, Gt(0)] | None = None
    evaluate_every: Annotated[int, Gt(0)] = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    checkpoint_seconds: Annotated[float, Gt(0), Le(3600)] = 20.0
