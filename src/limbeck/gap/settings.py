"""How the gap is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from limbeck.core import bad_value

__all__ = ["DEFAULTS", "GapSettings"]


@dataclass(frozen=True)
class GapSettings:
    """Settings of the gap stage.

    samples: at most so many samples of each domain take part in the distances. permutations: for
    the p-values. resamples: for the intervals. repeats: at most so many permutations, and so many
    resamples, for a distance that has to be computed anew each time. confidence: of the
    intervals; what is called a difference has a p-value below 1 - confidence, which n permutations can only give where
    1 / (n + 1) is below it.

    >>> round(GapSettings(confidence=0.9).alpha, 3)
    0.1
    """

    seed: int = 0
    samples: Annotated[int, Ge(4)] = 500
    permutations: Annotated[int, Ge(19)] = 499
    resamples: Annotated[int, Ge(20)] = 199
    repeats: Annotated[int, Ge(20)] = 49
    confidence: Annotated[float, Gt(0), Lt(1)] = 0.95

    def __post_init__(self) -> None:
        for name in ("permutations", "repeats"):
            if (1 + getattr(self, name)) * self.alpha < 1 - 1e-9:
                least = math.ceil(1 / self.alpha - 1e-9) - 1
                raise bad_value(
                    name, "gap.settings", f"≥ {least} for a confidence of {self.confidence}", getattr(self, name)
                )

    @property
    def alpha(self) -> float:
        return 1 - self.confidence


DEFAULTS = GapSettings()
