"""embedding.json: both domains in two dimensions, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.core import RunError, bad_value, generator, stream_seed

__all__ = ["embed"]

COMPONENTS = 50
FEWEST = 10
"""Below so many points there are no neighbourhoods for t-SNE to keep: two principal components are shown."""

Space = tuple[str, Float[Tensor, "n _"], Float[Tensor, "m _"]]


def embed(
    spaces: Sequence[Space],
    source_classes: Int[Tensor, " n"] | None,
    target_classes: Int[Tensor, " m"] | None,
    seed: int,
    cap: int = 300,
) -> dict[str, Any]:
    """The content of embedding.json: each space's two domains, drawn together.

    spaces: (title, source features [n, d], target features [m, d]); the same samples in all of
    them. Up to `cap` of each domain are drawn, the same ones in each space. t-SNE (van der Maaten
    & Hinton 2008) of at most 50 principal components; coordinates lie in [0, 1]², with one scale
    for both axes. Classes are None where there are none: values to regress, a target without labels.

    Raises `UsageError` where the spaces hold different numbers of samples, `RunError` where
    features are not finite.

    >>> import torch
    >>> drawn = embed([("inputs", torch.eye(3), torch.zeros(2, 3))], torch.tensor([0, 1, 1]), None, seed=0)
    >>> drawn["method"], drawn["spaces"][0]["source_classes"], len(drawn["spaces"][0]["target"])
    ('PCA', [0, 1, 1], 2)
    """
    sizes = {(len(source), len(target)) for _, source, target in spaces}
    if len(sizes) != 1 or 0 in min(sizes):
        raise bad_value("spaces", "embed", "features of the same samples of both domains", sorted(sizes))
    n, m = sizes.pop()
    sources, targets = _draw(n, cap, seed, "source"), _draw(m, cap, seed, "target")
    method = "t-SNE" if len(sources) + len(targets) >= FEWEST else "PCA"
    drawn = []
    for title, source, target in spaces:
        points = np.concatenate([_rows(source, sources, title), _rows(target, targets, title)])
        placed = _fit(_components(points, seed) if method == "PCA" else _tsne(points, seed))
        drawn.append(
            {
                "title": title,
                "source": placed[: len(sources)].tolist(),
                "target": placed[len(sources) :].tolist(),
                "source_classes": _classes(source_classes, sources),
                "target_classes": _classes(target_classes, targets),
            }
        )
    return {"method": method, "spaces": drawn}


def _draw(samples: int, cap: int, seed: int, domain: str) -> np.ndarray:
    return np.sort(generator(seed, "embedding", domain).permutation(samples)[:cap])


def _rows(features: Tensor, rows: np.ndarray, title: str) -> np.ndarray:
    values = features.detach()[rows].cpu().double().numpy()
    if not np.isfinite(values).all():
        raise RunError(f"The features of {title} are not finite: the training diverged.")
    return values


def _classes(classes: Tensor | None, rows: np.ndarray) -> list[int] | None:
    return None if classes is None else classes[rows].tolist()


def _components(points: np.ndarray, seed: int, count: int = 2) -> np.ndarray:
    """The first principal components, at most `count` and at least two (zeros where there are fewer)."""
    from sklearn.decomposition import PCA

    if not np.ptp(points, axis=0).any():
        return np.zeros((len(points), 2))
    count = min(count, *points.shape)
    reduced = PCA(count, random_state=stream_seed(seed, "embedding") % 2**32).fit_transform(points)
    return np.pad(reduced, ((0, 0), (0, max(0, 2 - count))))


def _tsne(points: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    reduced = _components(points, seed, COMPONENTS)
    spread = reduced[:, 0].std()
    if spread == 0:
        return reduced[:, :2]
    # The start that scikit-learn's init="pca" takes, without a second PCA; 500 steps look like 1,000 here.
    model = TSNE(
        perplexity=min(30.0, (len(points) - 1) / 3),
        init=(reduced[:, :2] / spread * 1e-4).astype(np.float32),
        max_iter=500,
        random_state=stream_seed(seed, "embedding") % 2**32,
        n_jobs=1,
    )
    return model.fit_transform(reduced)


def _fit(points: np.ndarray) -> np.ndarray:
    """Into the unit square with one scale for both axes, centred, to three decimals."""
    low, size = points.min(0), np.ptp(points, axis=0)
    scale = size.max() or 1.0
    return np.round((points - low - size / 2) / scale + 0.5, 3).clip(0.0, 1.0)
