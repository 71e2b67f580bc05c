"""LogME: how likely the labels are under the best linear model with a Gaussian prior over its weights."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import UsageError
from limbeck.gap._labelled import labelled

__all__ = ["logme", "logme_of_values"]

RATIOS = np.logspace(-10, 10, 81)
"""The ratios α/β that are looked at first, in units of the largest squared singular value."""

NO_WEIGHTS = 1e-200
"""Squared weights below this are none: their prior is then as narrow as the range of ratios allows."""

STEPS = 100
TOLERANCE = 1e-9


def logme(features: Float[Tensor, "n d"], labels: Int[Tensor, " n"]) -> float:
    """The logarithm of the maximum evidence per sample, in nats, mean over the classes; higher is better.

    Each class, one against the rest, is the target y ∈ {0, 1}ⁿ of the model y ~ N(Fw, β⁻¹I),
    w ~ N(0, α⁻¹I); the value is `max over α, β of log p(y | F, α, β) / n`.

    Paper: You et al. 2021, algorithm 1: α ← γ / mᵀm, β ← (n − γ) / ‖Fm − y‖². The evidence
    depends on β in closed form once α/β is fixed, so that the iteration runs over that ratio alone; it
    starts at the best of a grid, since the evidence may have several maxima, and the best value seen counts.

    Range: unbounded. Labels that are exactly linear in the features have an infinite evidence: the ratio is held
    at 10⁻¹⁰ of the largest squared singular value, and the value stays finite. It changes neither with a
    rotation nor with the scale of the features; their origin matters, as the model has no intercept.
    Labels below 0 are unknown and left out. Errors: `UsageError` as for `rate`.

    >>> import torch
    >>> y = torch.tensor([0, 1]).repeat(20)
    >>> apart, alike = torch.eye(2)[y], torch.ones(40, 2)
    >>> logme(apart, y) > logme(alike, y)
    True
    """
    points, classes = labelled("logme", labels, features)
    return _mean_evidence(points, np.eye(classes.max() + 1)[:, np.unique(classes)][classes])


def logme_of_values(features: Float[Tensor, "n d"], values: Float[Tensor, " n"]) -> float:
    """`logme` for regression: the evidence of the values themselves, in nats per sample; higher is better.

    Paper: You et al. 2021, where the targets of regression take the place of the one-hot labels. Deviations: the model
    has an intercept with a flat prior, which leaves n − 1 directions in which values and features are compared, and
    the values are divided by their deviation, so that their unit does not matter. Samples whose value is NaN are left
    out. Range and errors: as `logme`; `UsageError` also where all values are equal.

    >>> x = torch.linspace(-1, 1, 30)[:, None]
    >>> logme_of_values(x, 5 * x[:, 0] + 2) > logme_of_values(x, (9 * x[:, 0]).cos())
    True
    """
    from scipy.linalg import helmert

    known = torch.isfinite(values).cpu()
    wanted = values.detach().cpu()[known].double().numpy()
    points = features.detach().cpu()[known].double().numpy()
    if not np.isfinite(points).all():
        raise UsageError("The values of logme are not finite: fill or remove those samples first.")
    if len(wanted) < 2 or not np.ptp(wanted):
        raise UsageError("The values of logme must differ: there is nothing to predict.")
    directions = helmert(len(wanted))  # orthonormal, and at right angles to a constant
    return _mean_evidence(directions @ points, (directions @ wanted / wanted.std())[:, None])


def _mean_evidence(points: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n outputs"]) -> float:
    """The largest log evidence per sample, mean over the outputs."""
    left, singular, _ = np.linalg.svd(points, full_matrices=False)
    projected = left.T @ targets
    rest = np.square(targets - left @ projected).sum(0)
    return float(np.mean(_maximum(singular**2, projected**2, rest, len(points))) / len(points))


def _maximum(
    energy: Float[np.ndarray, " r"], fitted: Float[np.ndarray, "r classes"], rest: Float[np.ndarray, " classes"], n: int
) -> Float[np.ndarray, " classes"]:
    """The largest log evidence of each class.

    energy: squared singular values; fitted: squared components of y along the left singular vectors; rest: the
    squared length of what no weights reach.
    """
    ratios = RATIOS * (energy.max() or 1.0)
    grid = np.stack([_log_evidence(np.full(len(rest), ratio), energy, fitted, rest, n) for ratio in ratios])
    best, ratio = grid.max(0), ratios[grid.argmax(0)]
    for _ in range(STEPS):
        before, ratio = ratio, np.clip(_next(ratio, energy, fitted, rest, n), ratios[0], ratios[-1])
        best = np.maximum(best, _log_evidence(ratio, energy, fitted, rest, n))
        if np.allclose(before, ratio, rtol=TOLERANCE, atol=0):
            break
    return best


def _log_evidence(ratio: np.ndarray, energy: np.ndarray, fitted: np.ndarray, rest: np.ndarray, n: int) -> np.ndarray:
    """log p(y | F, α, β) at α = ratio · β and the best β, which is n / (yᵀ(I + FFᵀ/ratio)⁻¹y)."""
    misfit = rest + (fitted * (ratio / (ratio + energy[:, None]))).sum(0)
    return -0.5 * (n * (np.log(2 * np.pi * misfit / n) + 1) + np.log1p(energy[:, None] / ratio).sum(0))


def _next(ratio: np.ndarray, energy: np.ndarray, fitted: np.ndarray, rest: np.ndarray, n: int) -> np.ndarray:
    """One step of the fixed-point iteration: (γ / mᵀm) / ((n − γ) / ‖Fm − y‖²)."""
    total = ratio + energy[:, None]
    used = (energy[:, None] / total).sum(0)
    weights = (fitted * energy[:, None] / total**2).sum(0)
    residual = rest + (fitted * (ratio / total) ** 2).sum(0)
    return used / np.maximum(weights, NO_WEIGHTS) * residual / (n - used)
