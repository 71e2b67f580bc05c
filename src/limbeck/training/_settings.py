from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from limbeck.core import bad_value

__all__ = ["Training"]


@dataclass(frozen=True)
class Training:
    """How every row of a recipe is trained; a row may override single values.

    An epoch is one pass over the largest stream that the method reads; shorter streams start
    anew, each time in a new order. schedule: how the learning rate goes from the end of `warmup`
    (a share of the run) to the end; "one_cycle" shapes the warm-up too, of which 0.3 is usual.
    clip: the largest gradient norm, None for no clipping. patience: stop after so many evaluations
    without a better validator score, None for never. evaluate_every: epochs between two
    evaluations; each is a checkpoint that may be chosen. accumulate: a step's batch goes through
    the network in so many parts, for memory's sake. precision, layout (of images in memory) and
    compile: "auto" is decided once a run, by measurement. workers: threads that get coming batches
    ready; "auto" takes one where batches are augmented, answered by a live teacher, or read from
    disk. on_collapse: what is done where the loss is no number, or where a method that learns from the target says
    the same of all of it, or names nearly all of it one class though the estimated class shares say otherwise:
    "fall_back" keeps the best checkpoint at which that was not so, "stop" fails (at two evaluations in a row after
    a sound one, or at the last), "go_on" only says it. A loss that is no number ends the training, which fails where
    there is nothing to fall back to.
    """

    epochs: Annotated[int, Gt(0)] = 30
    batch_size: Annotated[int, Gt(1)] = 64
    accumulate: Annotated[int, Gt(0)] = 1
    optimiser: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    weight_decay: Annotated[float, Ge(0)] = 1e-2
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9
    schedule: Literal["cosine", "linear", "constant", "one_cycle"] = "cosine"
    warmup: Annotated[float, Ge(0), Lt(1)] = 0.05
    clip: Annotated[float, Gt(0)] | None = None
    patience: Annotated[int, Gt(0)] | None = None
    evaluate_every: Annotated[int, Gt(0)] = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    layout: Literal["auto", "contiguous", "channels_last"] = "auto"
    compile: Literal["auto"] | bool = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    workers: Annotated[int, Ge(0)] | Literal["auto"] = "auto"
    on_collapse: Literal["fall_back", "stop", "go_on"] = "fall_back"
    checkpoint_seconds: Annotated[float, Gt(0), Le(3600)] = 20.0

    def __post_init__(self) -> None:
        if self.batch_size % self.accumulate:
            raise bad_value("accumulate", "training", f"a divisor of 'batch_size', {self.batch_size}", self.accumulate)
