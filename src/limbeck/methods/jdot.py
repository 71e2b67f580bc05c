"""JDOT: features and labels transported together."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import bad_value
from limbeck.distances import squared_distances
from limbeck.methods._shallow import Adapted, Linear, Shallow, transport_plan
from limbeck.networks import INPUTS

__all__ = ["Jdot"]


class Jdot(Shallow):
    """A linear model of the target, learnt from labels that an optimal transport brings over.

    In turn: the plan G of least cost `α ‖x_i − y_j‖² + L(label_i, f(y_j))`, then the f of least `Σ G_ij L(label_i,
    f(y_j))`, from the model of the source on. L is cross-entropy, for values squared error.
    Paper: Courty et al. 2017b, eq. 4 and algorithm 1; the plan by POT. Distances are a share of their mean.

    feature_weight: α. rounds: of the two steps. The other settings: as every shallow method's.

    >>> Jdot(feature_weight=0.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'feature_weight' of jdot must be > 0. Got 0.0.
    """

    pairwise: ClassVar[bool] = True

    def __init__(
        self,
        feature_weight: Annotated[float, Gt(0)] = 10.0,
        rounds: Annotated[int, Ge(1)] = 10,
        standardise: Literal["each", "source"] = "each",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        self.positive(feature_weight=feature_weight)
        if rounds < 1:
            raise bad_value("rounds", self.name, "≥ 1", rounds)
        self.feature_weight = feature_weight
        self.rounds = rounds

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        distances = squared_distances(x, y)
        distances = self.feature_weight * distances / distances.mean().clamp(min=1e-12)
        model, before = self.linear(x, labels), None
        for _ in range(self.rounds):
            plan = transport_plan(distances + self._losses(model, labels, y))
            if before is not None and plan.equal(before):
                break
            points, brought, weights = self._brought(plan, labels, y)
            model, before = self.linear(points, brought, weights), plan
        return Adapted(points, brought, weights)

    def _losses(self, model: Linear, labels: Tensor, y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        scores = model(y)
        if self.task.is_classification:
            return -scores.log_softmax(1).T[labels]
        return (labels.double()[:, None] - scores[:, 0]).square()

    def _brought(self, plan: Float[Tensor, "n m"], labels: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Target rows, the labels brought to them, and how much of each; weights have the mean 1 over the target."""
        plan = plan * len(y)
        if not self.task.is_classification:  # for squared error the mean label says the same
            return y, labels.double() @ plan / plan.sum(0), plan.sum(0)
        mass = torch.zeros(self.task.outputs, len(y), dtype=plan.dtype).index_add(0, labels, plan)
        classes, rows = (mass > 0).nonzero(as_tuple=True)
        return y[rows], classes, mass[classes, rows]
