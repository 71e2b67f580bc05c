from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer

from limbeck.training._settings import Training

__all__ = ["make_optimiser", "plain_step", "rate_factor", "set_rate"]

_CLASSES: dict[str, type[Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def make_optimiser(groups: list[dict[str, Any]], settings: Training) -> Optimizer:
    """The recipe's optimiser over `groups` of {"params", "scale"}, fused where torch has it."""
    kind = _CLASSES[settings.optimiser]
    known = inspect.signature(kind).parameters
    wanted: dict[str, Any] = {
        "lr": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "momentum": settings.momentum,
        "nesterov": settings.optimiser == "sgd" and settings.momentum > 0,
        "fused": "fused" in known,
    }
    return kind(groups, **{name: value for name, value in wanted.items() if name in known})


def plain_step(optimiser: Optimizer) -> Callable[[], Any]:
    """`optimiser.step` without the profiler's record that torch puts around it, which alone outweighs a small step.

    The hooks of a step go with it; the loop sets none.
    """
    step = type(optimiser).step
    return partial(step.__wrapped__, optimiser) if getattr(step, "hooked", False) else optimiser.step  # type: ignore[attr-defined]


def rate_factor(settings: Training, progress: float) -> float:
    """The learning rate's factor at a share of the run in [0, 1): linear warm-up, then the schedule.

    "one_cycle" rises and falls by half a cosine, from 1/25 to 1 and on to 1/250,000 (Smith & Topin 2018, with the
    cosines and the numbers that fast.ai and torch gave it).

    >>> rate_factor(Training(schedule="cosine", warmup=0.0), 0.5)
    0.5
    """
    if progress < settings.warmup:
        if settings.schedule == "one_cycle":
            return _eased(1 / 25, 1.0, progress / settings.warmup)
        return (progress + 1e-3) / (settings.warmup + 1e-3)
    share = (progress - settings.warmup) / (1 - settings.warmup)
    if settings.schedule == "one_cycle":
        return _eased(1.0, 1 / 250_000, share)
    if settings.schedule == "cosine":
        return _eased(1.0, 0.0, share)
    return 1 - share if settings.schedule == "linear" else 1.0


def set_rate(optimiser: Optimizer, settings: Training, progress: float) -> float:
    """Set every group's learning rate for this moment; returns the base rate."""
    rate = settings.learning_rate * rate_factor(settings, progress)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["scale"]
    return rate


def _eased(start: float, end: float, share: float) -> float:
    """From `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
