from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["certain_labels", "neighbour_graph", "propagate"]


def neighbour_graph(features: Float[Tensor, "n d"], neighbours: int, power: float) -> Any:
    """The normalised affinities `S = D^(−1/2) W D^(−1/2)` [n, n] of the nearest neighbours, a sparse SciPy array.

    `W = A + Aᵀ`, `A_ij = max(cos(v_i, v_j), 0)^power` where j is one of the nearest of i (Iscen et al. 2019),
    and D its row sums. A sample without a neighbour of positive affinity has a row of zeros.

    >>> neighbour_graph(torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]), 1, 3.0).toarray().round(2).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    from scipy.sparse import diags_array
    from sklearn.neighbors import kneighbors_graph

    count = min(neighbours, len(features) - 1)
    near = kneighbors_graph(np.asarray(features.double().to("cpu")), count, mode="distance", metric="cosine")
    near.data = np.clip(1 - near.data, 0, None) ** power  # the distance is 1 − cos
    affinities = near + near.T
    degrees = np.asarray(affinities.sum(1)).ravel()
    scale = diags_array(np.where(degrees > 0, degrees, np.inf) ** -0.5)
    return scale @ affinities @ scale


def propagate(graph: Any, given: Int[Tensor, " n"], classes: int, alpha: float) -> Float[Tensor, "n classes"]:
    """`Z = (I − alpha S)⁻¹ Y` by conjugate gradients, Y the one-hot labels of the samples that have one, ≥ 0.

    Zhou et al. 2004, section 2, without the factor 1 − alpha, which changes no comparison.

    >>> from scipy.sparse import csr_array
    >>> propagate(csr_array([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, -1]), 2, 0.5).round(decimals=3)
    tensor([[1.3330, 0.0000],
            [0.6670, 0.0000]], dtype=torch.float64)
    """
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import cg

    system = eye_array(graph.shape[0]) - alpha * graph
    columns = []
    for label in range(classes):
        start = np.asarray((given == label).to("cpu"), dtype=np.float64)
        columns.append(torch.from_numpy(cg(system, start, rtol=1e-6)[0]))
    return torch.stack(columns, 1).clamp_min(0)  # it is ≥ 0 but for the solver's last digits


def certain_labels(scores: Float[Tensor, "n classes"]) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """The labels `argmax_k z_k`, and how certain they are: `1 − H(z/Σz)/log classes`, in [0, 1] (Iscen et al. 2019).

    >>> certain_labels(torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
    (tensor([0, 0, 0]), tensor([1., 0., 0.]))
    """
    total = scores.sum(1, keepdim=True)
    even = torch.full_like(scores, 1 / scores.shape[1])  # what no label reached is not known at all
    shares = torch.where(total > 0, scores / total, even)
    entropy = torch.special.entr(shares).sum(1)
    return scores.argmax(1), (1 - entropy / math.log(scores.shape[1])).clamp(0, 1)
