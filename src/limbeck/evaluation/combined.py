"""Several validators as one, over the checkpoints that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from limbeck.core import bad_value

__all__ = ["combined"]


def combined(
    scores: Mapping[str, Sequence[float] | Float[np.ndarray, " checkpoints"]],
    by: Literal["ranks", "z_scores"] = "ranks",
) -> Float[np.ndarray, " checkpoints"]:
    """One score per checkpoint from those of several validators; higher is better.

    scores: by validator, one value per checkpoint, in one order. A checkpoint has no rank of its own: the value
    says how it stands among these, and changes when others join.

    ranks: the mean over the validators of (rank − 1) / (checkpoints − 1), in [0, 1]; equal scores share the mean
    rank, and NaN ranks below all. z_scores: the mean of (score − mean) / standard deviation; it keeps how far
    apart they are, and one outlier may decide. A validator that scores all alike has no say: 0.5, or 0.

    Errors: `UsageError` for no validator, none or unequal numbers of checkpoints, and z-scores of what is not finite.

    >>> combined({"entropy": [-3.0, -1.0, -2.0], "bnm": [0.2, 0.9, 0.1]}).tolist()
    [0.25, 1.0, 0.25]
    """
    lengths = {len(values) for values in scores.values()}
    if len(lengths) != 1 or 0 in lengths:
        sizes = {name: len(values) for name, values in scores.items()}
        raise bad_value("scores", "combined", "the same number of checkpoints, at least one, by validator", sizes)
    table = np.array([list(values) for values in scores.values()], dtype=float)
    return (_ranked(table) if by == "ranks" else _standardised(table)).mean(0)


def _ranked(table: Float[np.ndarray, "validators n"]) -> Float[np.ndarray, "validators n"]:
    from scipy.stats import rankdata

    if table.shape[1] == 1:
        return np.full_like(table, 0.5)
    ranks = rankdata(np.where(np.isnan(table), -np.inf, table), axis=1)
    return (ranks - 1) / (table.shape[1] - 1)


def _standardised(table: Float[np.ndarray, "validators n"]) -> Float[np.ndarray, "validators n"]:
    if not np.isfinite(table).all():
        raise bad_value("scores", "combined by z_scores", "finite", "NaN or infinity", "Combine them by ranks.")
    spread = np.ptp(table, axis=1, keepdims=True)
    scaled = np.where(spread > 0, (table - table.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1), 0)
    deviation = scaled.std(1, keepdims=True)
    return scaled / np.where(deviation > 0, deviation, 1)
