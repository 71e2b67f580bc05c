"""What the shallow methods share: features of both domains in, one linear model out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Gt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.distances import coupling
from limbeck.methods._evidence import Candidates, Evidence
from limbeck.methods._method import Method, Stream, Update
from limbeck.networks import INPUTS, Observed

__all__ = ["Adapted", "Linear", "Shallow", "class_scores", "transport_plan"]

WIDEST = 500
"""Features of which covariances are still quick to decompose."""

BATCH = 1024
"""So many samples go through the starting network at once."""


class Adapted(NamedTuple):
    """What the linear model learns from, and the maps that rows go through before it.

    points: [n, k]; labels: [n]; weights: [n] or None for equal ones; map: [k, d] of the target's
    rows, or None where they stay as they are (then k = d). near: [k, d] of the source's rows, None
    for the same map.
    """

    points: Tensor
    labels: Tensor
    weights: Tensor | None = None
    map: Tensor | None = None
    near: Tensor | None = None


class Linear(NamedTuple):
    """A linear model: scores `x @ weight.T + bias`, in float64."""

    weight: Float[Tensor, "outputs k"]
    bias: Float[Tensor, " outputs"]

    def __call__(self, points: Float[Tensor, "n k"]) -> Float[Tensor, "n outputs"]:
        return points @ self.weight.T + self.bias


class Shallow(Method):
    """The base of the methods in closed form: they adapt features, and learn one linear model on them.

    standardise: the mean and deviation that features are scaled by: "each" domain's own, as the
    field does, or those of the "source" for both. inverse_penalty: scikit-learn's C of the
    logistic regression (for values, 1 / alpha of the ridge regression), on features divided by
    their root mean square. layer: "inputs", or a layer of the row or teacher that this `start`s from.

    `evaluated` maps the target's rows: scaling, a linear map where the method has one, the model; `on_source` the
    source's. moves_source: whether it has a map of the source's rows and none of the target's. pairwise: whether it
    compares all pairs of samples, so that their number has a limit.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")
    closed_form: ClassVar[bool] = True
    moves_source: ClassVar[bool] = False
    pairwise: ClassVar[bool] = False

    def __init__(
        self,
        standardise: Literal["each", "source"] = "each",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__()
        self.positive(inverse_penalty=inverse_penalty)
        self.standardise = standardise
        self.inverse_penalty = inverse_penalty
        self.layer = layer

    @abstractmethod
    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        """From standardised rows of the source, their labels and rows of the target, in float64."""

    @classmethod
    def offered(cls, evidence: Evidence) -> Candidates:
        """This method as a candidate, where rows of numbers differ, and there are few enough of them."""
        rows = evidence.kind in ("table", "vectors") and len(evidence.shape) == 1 and evidence.shape[0] <= WIDEST
        if evidence.source_free or not (rows and evidence.apart):
            return {}
        name = cls.__module__.rpartition(".")[2]
        return {name: {name: {}}}

    def kept(self, width: int) -> int | None:
        """The width of the map, None where the target's rows stay as they are."""
        return None

    def head(self, width: int, outputs: int) -> nn.Module:
        """What reads mapped rows of this width."""
        return nn.Linear(width, outputs)

    def requires(self) -> frozenset[str]:
        return self.needs if self.layer == INPUTS else self.needs | {"start"}

    def student_layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        student.requires_grad_(False).eval()
        width = prod(spec.layers[self.layer])
        body = None if self.layer == INPUTS else student
        kept = self.kept(width)
        head = self.head(width if kept is None else kept, task.outputs)
        self.adapted = Observed(_Adapted(body, self.layer, width, kept, head))
        own = width if kept is None and self.moves_source else kept
        self.near = Observed(_Adapted(body, self.layer, width, own, head))

    def parameter_groups(self) -> dict[str, list[dict[str, Any]]]:
        return {}

    @property
    def evaluated(self) -> Observed:
        return self.adapted

    @property
    def on_source(self) -> Observed:
        return self.near

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        """None: `fit` finds everything at once."""
        return []

    @torch.no_grad()
    def fit(self, source: DomainView, target: DomainView) -> None:
        """Scale both domains' training rows, adapt them, and solve for the model."""
        network = self.adapted.network
        assert isinstance(network, _Adapted)
        rows, labels = source.training()
        x = _rows(network, source, rows)
        y = _rows(network, target, torch.cat([target.splits["labelled"], target.splits["train"]]))
        if len(y) < 2:
            raise UsageError(f"{self.name} needs at least two target samples to adapt to. Got {len(y)}.")
        if self.pairwise and len(x) + len(y) > LARGEST:
            raise UsageError(
                f"{self.name} compares all pairs of at most {LARGEST:,} training samples of both domains. Got "
                f"{len(x):,} and {len(y):,}: use coral_map or subspace_alignment, which see features alone."
            )
        near = _scale(x)
        far = _scale(y) if self.standardise == "each" else near
        y = (y - far[0]) / far[1]
        found = self.adapt((x - near[0]) / near[1], labels, y)
        network.placed(*far, found.map)
        own = found.map if found.near is None else found.near
        assert isinstance(self.near.network, _Adapted)
        self.near.network.placed(*near, own)
        self.learn(network.head, found, y if found.map is None else y @ found.map.T)

    def learn(self, head: nn.Module, found: Adapted, y: Float[Tensor, "m k"]) -> None:
        """Write into the head what it says of mapped rows; y: those of the target."""
        assert isinstance(head, nn.Linear)
        model = self.linear(found.points, found.labels, found.weights)
        head.weight.copy_(model.weight)
        head.bias.copy_(model.bias)

    def linear(self, points: Float[Tensor, "n k"], labels: Tensor, weights: Tensor | None = None) -> Linear:
        """The logistic regression, or for values the ridge regression, of weighted points."""
        from sklearn.linear_model import LogisticRegression, Ridge

        scale = points.square().mean().sqrt().clamp(min=1e-12)
        rows, sample_weight = (points / scale).numpy(), None if weights is None else weights.numpy()
        if not self.task.is_classification:
            values = Ridge(alpha=1 / self.inverse_penalty).fit(rows, labels.double().numpy(), sample_weight)
            return Linear(
                torch.from_numpy(values.coef_)[None] / scale, torch.tensor([float(values.intercept_)]).double()
            )
        seen = labels.unique()
        if len(seen) < 2:
            raise UsageError(f"{self.name} needs source samples of at least two classes. Got {len(seen)}.")
        model = LogisticRegression(C=self.inverse_penalty, max_iter=2000, tol=1e-7)
        model.fit(rows, labels.numpy(), sample_weight)
        return class_scores(torch.from_numpy(model.coef_) / scale, torch.from_numpy(model.intercept_), seen, self.task)

    @property
    def name(self) -> str:
        """The name in a recipe."""
        return type(self).__module__.rpartition(".")[2]

    def positive(self, **values: float) -> None:
        """`UsageError` for a setting that is not above 0."""
        for name, value in values.items():
            if not value > 0:
                raise bad_value(name, self.name, "> 0", value)


LARGEST = 20_000
"""A matrix of all pairs of so many samples takes 3.2 GB."""

UNSEEN = -1e4
"""The score of a class that the source has no sample of."""


class _Adapted(nn.Module):
    """Rows → scaled → mapped → scores; each size is known before anything is fitted."""

    def __init__(self, body: Observed | None, layer: str, width: int, kept: int | None, head: nn.Module):
        super().__init__()
        self.body = body
        self.layer = layer
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.map = nn.Identity() if kept is None else nn.Linear(width, kept, bias=False)
        self.head = head

    centre: Tensor
    scale: Tensor

    def placed(self, centre: Tensor, scale: Tensor, map: Tensor | None) -> None:
        """Take over what was found."""
        self.centre.copy_(centre)
        self.scale.copy_(scale)
        if map is not None:
            assert isinstance(self.map, nn.Linear)
            self.map.weight.copy_(map)

    def seen(self, inputs: Tensor) -> Tensor:
        """What is adapted: the inputs flattened, or a layer of the network below."""
        return inputs.flatten(1) if self.body is None else self.body(inputs).feature(self.layer)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.map((self.seen(inputs) - self.centre) / self.scale))


def _rows(network: _Adapted, view: DomainView, rows: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
    network.eval()
    return torch.cat([network.seen(view.inputs[part]).double() for part in rows.split(BATCH)])


def _scale(rows: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Mean and deviation; 1 where a feature is constant."""
    deviation = rows.std(0, correction=0)
    return rows.mean(0), torch.where(deviation > 1e-8, deviation, 1.0)


def class_scores(weight: Float[Tensor, "k d"], bias: Float[Tensor, " k"], seen: Tensor, task: Task) -> Linear:
    """The scores of all classes, from scikit-learn's of the seen ones, of two of which it gives the one between them.

    >>> task = Task("classification", ("a", "b", "c"))
    >>> class_scores(torch.tensor([[2.0]]), torch.tensor([0.5]), torch.tensor([0, 2]), task).weight.tolist()
    [[-1.0], [0.0], [1.0]]
    """
    if len(seen) == 2:
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    scores = Linear(weight.new_zeros(task.outputs, weight.shape[1]), bias.new_full((task.outputs,), UNSEEN))
    scores.weight[seen], scores.bias[seen] = weight, bias
    return scores


def transport_plan(cost: Float[Tensor, "n m"], entropy: float = 0.0) -> Float[Tensor, "n m"]:
    """The cheapest coupling of n and m rows of equal weight, by POT; with entropy, that of Sinkhorn's iteration.

    >>> transport_plan(torch.tensor([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    import ot

    if not entropy:
        return coupling(cost.double())
    return torch.from_numpy(ot.sinkhorn([], [], cost.double().numpy(), entropy, method="sinkhorn_log"))
