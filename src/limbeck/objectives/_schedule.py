from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from limbeck.core import bad_value

__all__ = ["Schedule", "value_at"]


@dataclass(frozen=True)
class Schedule:
    """A number that changes over training: from `start` to `end` between two shares of the run.

    shape: "linear", "cosine" (slow at both ends), or "ramp", the 2/(1+exp(-10 p)) − 1 of Ganin et
    al. 2016, fast at first.

    >>> Schedule(start=0.0, end=2.0, until=0.5).at(0.25)
    1.0
    """

    start: float
    end: float
    since: Annotated[float, Ge(0), Le(1)] = 0.0
    until: Annotated[float, Gt(0), Le(1)] = 1.0
    shape: Literal["linear", "cosine", "ramp"] = "linear"

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise bad_value("until", "a schedule", f"above its 'since', {self.since}", self.until)

    def at(self, progress: float) -> float:
        """The value at a share of training in [0, 1]."""
        share = min(max((progress - self.since) / (self.until - self.since), 0.0), 1.0)
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        elif self.shape == "ramp":
            share = (2 / (1 + math.exp(-10 * share)) - 1) / (2 / (1 + math.exp(-10)) - 1)
        return self.start + (self.end - self.start) * share


def value_at(setting: float | Schedule, progress: float) -> float:
    """A plain number, or a schedule's value at this share of training."""
    return setting.at(progress) if isinstance(setting, Schedule) else setting
