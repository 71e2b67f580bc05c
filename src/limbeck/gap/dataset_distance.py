"""How far two labelled sets are apart: optimal transport of their points, and of their classes as Gaussians."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import UsageError, generator
from limbeck.distances import coupling

__all__ = ["dataset_distance", "squared_gaussian_wasserstein"]

COMPONENTS = 64
"""So many principal directions describe the classes of wider points: the cost is cubic in them."""


def dataset_distance(
    source: Float[Tensor, "n d1"],
    source_labels: Int[Tensor, " n"],
    target: Float[Tensor, "m d2"],
    target_labels: Int[Tensor, " m"],
    cap: int = 1000,
    seed: int = 0,
) -> float:
    """The optimal-transport data set distance: `√ min_π Σ_ij π_ij (‖x_i − x_j‖² + W₂²(y_i, y_j))`, π uniform.

    W₂(y, y') is the Wasserstein distance of the points of class y and those of class y', as Gaussians, so
    that the classes of both sides may be others, in name and number.
    Paper: Alvarez-Melis & Fusi 2020. The transport is exact (POT's network simplex), without the entropy
    by which a set is far from itself. Class covariances are shrunk (Ledoit & Wolf 2004), and of points wider than
    64 they are taken along the 64 leading principal directions of both sides together.

    Labels below 0 are unknown: those samples are left out; pseudo-labels make it a pseudo-label form. Of the others
    at most `cap` of each side, drawn with `seed`, are carried (the Gaussians see all of them).
    Range: ≥ 0, a length in the data's own unit; 0 for a set against itself; symmetric; the order of samples does not
    matter up to `cap`. For two samples of one distribution it is above 0.
    Errors: `UsageError` for unequal widths or lengths, no labelled samples, values that are not finite.

    >>> x, y = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([0, 0, 1, 1])
    >>> dataset_distance(x, y, x, y), round(dataset_distance(x, y, x + 3, y), 4)  # √(3² + 3²)
    (0.0, 4.2426)
    """
    sides = [_checked("source", source, source_labels), _checked("target", target, target_labels)]
    if source.shape[1] != target.shape[1]:
        raise UsageError(
            f"The points of dataset_distance must be equally wide on both sides. Got {list(source.shape)} and "
            f"{list(target.shape)}."
        )
    directions = _directions(sides[0][0], sides[1][0])
    between = _class_distances(*([_gaussians(points @ directions, labels) for points, labels in sides]))
    (x, y), (x2, y2) = (_capped(points, labels, cap, seed) for points, labels in sides)
    # Differences, not inner products: equal points are at distance 0 to the last bit.
    squared = torch.cdist(torch.from_numpy(x), torch.from_numpy(x2), compute_mode="donot_use_mm_for_euclid_dist")
    cost = squared.square() + torch.from_numpy(between[np.ix_(y, y2)])
    return float((coupling(cost) * cost).sum().sqrt())


def squared_gaussian_wasserstein(
    mean: Float[np.ndarray, " d"],
    covariance: Float[np.ndarray, "d d"],
    other_mean: Float[np.ndarray, " d"],
    other_covariance: Float[np.ndarray, "d d"],
) -> float:
    """W₂² of two Gaussians: `‖μ − μ'‖² + tr Σ + tr Σ' − 2 tr (Σ^½ Σ' Σ^½)^½`; the last is twice ‖Σ^½ Σ'^½‖_*.

    The part after the means is the squared Bures distance (Givens & Shortt 1984). Singular covariances are allowed.

    >>> round(squared_gaussian_wasserstein(np.zeros(2), np.eye(2), np.ones(2), 4 * np.eye(2)), 6)  # 2 + 2 · (2 − 1)²
    4.0
    """
    return _squared_distance(_Gaussian.of(mean, covariance), _Gaussian.of(other_mean, other_covariance))


class _Gaussian(NamedTuple):
    """Mean, covariance, and the covariance's root, which is taken once for all pairs of classes."""

    mean: Float[np.ndarray, " d"]
    covariance: Float[np.ndarray, "d d"]
    root: Float[np.ndarray, "d d"]

    @classmethod
    def of(cls, mean: np.ndarray, covariance: np.ndarray) -> _Gaussian:
        return cls(mean, covariance, _root(covariance))


def _squared_distance(a: _Gaussian, b: _Gaussian) -> float:
    moved = np.square(a.mean - b.mean).sum()
    if np.array_equal(a.covariance, b.covariance):
        return float(moved)
    fidelity = np.linalg.svd(a.root @ b.root, compute_uv=False).sum()
    return float(moved + max(0.0, np.trace(a.covariance) + np.trace(b.covariance) - 2 * fidelity))


def _checked(role: str, points: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The labelled samples in float64, and their classes from 0 on."""
    if len(points) != len(labels):
        raise UsageError(f"The samples of the {role} must have one label each. Got {len(points)} and {len(labels)}.")
    known = (labels >= 0).cpu()
    if not known.any():
        raise UsageError(f"The dataset_distance needs labels of the {role}, true ones or pseudo-labels. Got none.")
    chosen = points.detach().cpu()[known].double().numpy()
    if not np.isfinite(chosen).all():
        raise UsageError(f"The points of the {role} hold values that are not finite: fill or remove them first.")
    return chosen, np.unique(labels.cpu()[known].numpy(), return_inverse=True)[1]


def _directions(source: np.ndarray, target: np.ndarray) -> Float[np.ndarray, "d k"]:
    """The leading principal directions of both sides, which weigh the same; all directions where there are few."""
    if source.shape[1] <= COMPONENTS:
        return np.eye(source.shape[1])
    centre = (source.mean(0) + target.mean(0)) / 2
    scatter = sum((side - centre).T @ (side - centre) / len(side) for side in (source, target))
    return np.linalg.eigh(scatter)[1][:, -COMPONENTS:]


def _gaussians(points: np.ndarray, classes: np.ndarray) -> list[_Gaussian]:
    parts = [points[classes == c] for c in range(classes.max() + 1)]
    return [_Gaussian.of(part.mean(0), _covariance(part)) for part in parts]


def _covariance(points: np.ndarray) -> np.ndarray:
    from sklearn.covariance import ledoit_wolf

    # One sample is a point; of samples that are all the same the shrinkage would be 0/0.
    spread = np.ptp(points, axis=0).any()
    return ledoit_wolf(points)[0] if spread else np.zeros((points.shape[1], points.shape[1]))


def _class_distances(source: list[_Gaussian], target: list[_Gaussian]) -> Float[np.ndarray, "c k"]:
    return np.array([[_squared_distance(a, b) for b in target] for a in source])


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _capped(points: np.ndarray, classes: np.ndarray, cap: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same rows for sets of the same size, so that a set is at 0 from itself."""
    if len(points) <= cap:
        return points, classes
    rows = generator(seed, "dataset_distance", len(points)).permutation(len(points))[:cap]
    return points[rows], classes[rows]
