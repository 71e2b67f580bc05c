"""Manifold embedded distribution alignment: a kernel machine whose answers have equal means in both domains."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import Spec, Task, UsageError, bad_value
from limbeck.distances import squared_distances
from limbeck.methods._geodesic import geodesic_map, principal_directions
from limbeck.methods._propagation import neighbour_graph
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS, Observed

__all__ = ["Meda"]


class Meda(Shallow):
    """A kernel machine f of least squares on the source's labels, smooth, and with equal means in both domains.

    The features are mapped by the geodesic flow between both domains' principal directions and brought to length 1.
    There `f = Σ_j β_j k(z_j, ·)` is that of least

        `Σ_source ‖y_i − f(z_i)‖² + ridge ‖f‖² + alignment tr(Fᵀ M F) + smoothness tr(Fᵀ L F)`

    for `k(u, v) = exp(−‖u − v‖²/2)`, L the normalised Laplacian of the nearest neighbours by cosine, and
    `M = (1 − balance) classes · e eᵀ + balance Σ_c e_c e_cᵀ` over the differences e of the domains' means and e_c of
    those of each class, divided by its Frobenius norm. The target's classes are guessed by the nearest source sample
    at first, then by f.

    Paper: Wang et al. 2018, section 3 and algorithm 1; the factor and the norm of M as in its authors' code, the
    defaults those of the paper. Deviations: `balance` is set, not estimated in each round; f is sought among the
    kernels of at most `anchors` of all samples, evenly taken, which changes nothing where there are as many anchors
    as samples and bounds the network where there are more; mutual neighbours count twice. For classes only.

    dimensions: of each domain's subspace. rounds: of guessing. neighbours: of each sample in the graph. standardise,
    layer: as every shallow method's.

    >>> Meda(balance=2.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'balance' of meda must be in [0, 1]. Got 2.0.
    """

    pairwise: ClassVar[bool] = True

    def __init__(
        self,
        dimensions: Annotated[int, Ge(1)] = 20,
        alignment: Annotated[float, Gt(0)] = 10.0,
        smoothness: Annotated[float, Gt(0)] = 1.0,
        ridge: Annotated[float, Gt(0)] = 0.1,
        balance: Annotated[float, Ge(0), Le(1)] = 0.5,
        neighbours: Annotated[int, Ge(1)] = 10,
        rounds: Annotated[int, Ge(1)] = 10,
        anchors: Annotated[int, Ge(1)] = 1000,
        standardise: Literal["each", "source"] = "each",
        layer: str = INPUTS,
    ):
        super().__init__(standardise, layer=layer)
        self.positive(alignment=alignment, smoothness=smoothness, ridge=ridge)
        counts = {"dimensions": dimensions, "neighbours": neighbours, "rounds": rounds, "anchors": anchors}
        for name, value in counts.items():
            if value < 1:
                raise bad_value(name, self.name, "≥ 1", value)
        if not 0 <= balance <= 1:
            raise bad_value("balance", self.name, "in [0, 1]", balance)
        self.dimensions = dimensions
        self.alignment = alignment
        self.smoothness = smoothness
        self.ridge = ridge
        self.balance = balance
        self.neighbours = neighbours
        self.rounds = rounds
        self.anchors = anchors

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        if not task.is_classification:
            raise UsageError("meda is for classes, and the labels are values to regress. Use tca.")
        super().build(student, task, spec, knowledge)

    def kept(self, width: int) -> int:
        return 2 * min(self.dimensions, width)

    def head(self, width: int, outputs: int) -> nn.Module:
        return KernelMachine(self.anchors, width, outputs)

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        wanted = self.kept(x.shape[1])
        count = min(wanted // 2, len(x) - 1, len(y) - 1)  # few samples span few directions
        found = geodesic_map(principal_directions(x, count), principal_directions(y, count))
        padded = torch.cat([found, found.new_zeros(x.shape[1], wanted - 2 * count)], 1)
        return Adapted(x @ padded, labels, map=padded.T)

    def learn(self, head: nn.Module, found: Adapted, y: Float[Tensor, "m k"]) -> None:
        assert isinstance(head, KernelMachine)
        rows = nn.functional.normalize(torch.cat([found.points, y]))
        places = torch.linspace(0, len(rows) - 1, min(self.anchors, len(rows)), dtype=torch.float64)
        chosen = rows[places.round().long()]
        within, across = gaussian(chosen, chosen), gaussian(rows, chosen)
        values, vectors = torch.linalg.eigh(within)  # features in which the norm of f is that of its weights
        spanned = values > values[-1] * 1e-10
        basis = vectors[:, spanned] * values[spanned].rsqrt()
        weights = self._solved(across @ basis, found.labels, rows)
        head.anchors[: len(chosen)] = chosen.to(head.anchors)
        head.weight[: len(chosen)] = (basis @ weights).to(head.weight)

    def _solved(
        self, features: Float[Tensor, "all a"], labels: Int[Tensor, " n"], rows: Float[Tensor, "all k"]
    ) -> Float[Tensor, "a outputs"]:
        """The weights of f after all rounds."""
        source, target = rows[: len(labels)], rows[len(labels) :]
        wanted = nn.functional.one_hot(labels, self.task.outputs).to(features.dtype)
        near = features[: len(labels)]
        graph = neighbour_graph(rows, self.neighbours, 1.0)
        laplacian = features - torch.from_numpy(graph @ np.asarray(features))
        fixed = near.T @ near + self.smoothness * features.T @ laplacian
        fixed.diagonal().add_(self.ridge)
        guessed = labels[squared_distances(source, target).argmin(0)]
        for _ in range(self.rounds):
            aligned = contrasts(labels, guessed, self.balance) @ features
            weights = torch.linalg.solve(fixed + self.alignment * aligned.T @ aligned, near.T @ wanted)
            before, guessed = guessed, (features[len(labels) :] @ weights).argmax(1)
            if guessed.equal(before):
                break
        return weights


class KernelMachine(nn.Module):
    """`f(z) = Σ_j k(z_j, z/‖z‖) weight_j`; anchors that are not needed stay zero, and so do their weights."""

    anchors: Tensor
    weight: Tensor

    def __init__(self, count: int, width: int, outputs: int):
        super().__init__()
        self.register_buffer("anchors", torch.zeros(count, width))
        self.register_buffer("weight", torch.zeros(count, outputs))

    def forward(self, points: Tensor) -> Tensor:
        return gaussian(nn.functional.normalize(points), self.anchors) @ self.weight


def gaussian(u: Float[Tensor, "n k"], v: Float[Tensor, "m k"]) -> Float[Tensor, "n m"]:
    """`exp(−‖u_i − v_j‖²/2)`.

    >>> gaussian(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])).round(decimals=3)
    tensor([[1.0000, 0.3680]])
    """
    return torch.exp(-squared_distances(u, v) / 2)


def contrasts(
    labels: Int[Tensor, " n"], guessed: Int[Tensor, " m"], balance: float
) -> Float[Tensor, "differences all"]:
    """Rows e with `M = Σ e eᵀ` of Frobenius norm 1: the domains' means and those of each class that both have.

    Each is 1/n over samples of the source and −1/m over those of the target, weighted (Wang et al. 2018, section 3).

    >>> contrasts(torch.tensor([0, 0]), torch.tensor([0]), 1.0).abs().round(decimals=3).tolist()
    [[0.0, 0.0, 0.0], [0.408, 0.408, 0.816]]
    """
    classes = labels.unique()
    pairs = [(torch.ones_like(labels, dtype=torch.bool), torch.ones_like(guessed, dtype=torch.bool))]
    pairs += [(labels == label, guessed == label) for label in classes if (guessed == label).any()]
    rows = torch.stack([torch.cat([own / own.sum(), -other.double() / other.sum()]) for own, other in pairs]).double()
    shares = torch.full((len(rows),), balance, dtype=rows.dtype)
    shares[0] = (1 - balance) * len(classes)
    rows = rows * shares.sqrt()[:, None]
    return rows / (rows @ rows.T).norm().sqrt()  # ‖Σ e eᵀ‖ is that of the inner products
