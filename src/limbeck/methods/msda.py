"""Marginalised denoising: features that tell which words go together in both domains, then a linear model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Gt, Lt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.methods import Candidates, Evidence, Method, Stream, Update
from limbeck.methods._shallow import class_scores
from limbeck.networks import Observed
from limbeck.networks.denoising import Denoising

__all__ = ["Msda"]

RIDGE = 1e-5
"""Added to the diagonal, as a share of its mean, so that a feature that is always zero has an answer."""


class Msda(Method):
    """A stacked denoising autoencoder whose layers are solved for, then a linear model of the source's labels.

    Each layer restores its input from one of which a share of the features is set to zero, in expectation over all
    such corruptions: `h = tanh(W x)`, `W = P Q⁻¹` (`denoising_map`). So a word that only the target has comes to
    stand for the words that it goes with. The layers learn from the unlabelled training inputs of both domains; a
    logistic regression (for values a ridge regression) reads the input and all layers side by side.

    Paper: Chen et al. 2012, eq. 3–8, and for inputs wider than the layers its section on high dimensions: the first
    layer restores the features that are most often not zero, from each of some parts of the input, and takes the
    mean of what they say. Here every k-th feature makes a part, which is not drawn at random.
    Needs: the student `denoising`, which says how many layers there are, and how wide they are.

    corruption: the share of features set to zero. inverse_penalty: scikit-learn's C of the linear model, whose
    inputs are scaled to a mean square of 1 a sample.

    >>> Msda(corruption=1.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'corruption' of msda must be above 0 and below 1. Got 1.0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")
    closed_form: ClassVar[bool] = True

    def __init__(
        self,
        corruption: Annotated[float, Gt(0), Lt(1)] = 0.5,
        inverse_penalty: Annotated[float, Gt(0)] = 30.0,
    ):
        super().__init__()
        if not 0 < corruption < 1:
            raise bad_value("corruption", "msda", "above 0 and below 1", corruption)
        if not inverse_penalty > 0:
            raise bad_value("inverse_penalty", "msda", "> 0", inverse_penalty)
        self.corruption = corruption
        self.inverse_penalty = inverse_penalty

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """For words, with the network that it solves for in the place of the recipe's student."""
        if evidence.kind != "text" or evidence.source_free or not evidence.apart:
            return {}
        return {"msda": {"msda": {}, "student": "denoising"}}

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not isinstance(student.network, Denoising):
            raise UsageError(
                f"msda solves for the weights of the student `denoising`. Got {type(student.network).__name__}. "
                "Set `student: denoising` for this row; another row distils it into any other student."
            )
        self.network = student.network

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        """None: `fit` finds everything at once."""
        return []

    @torch.no_grad()
    def fit(self, source: DomainView, target: DomainView) -> None:
        """Solve for the layers on both domains' training inputs, then for the head on the source's labels."""
        known, labels = source.training()
        labelled = source.inputs[known].flatten(1)
        rows = torch.cat([target.splits["labelled"], target.splits["train"]])
        seen = [hidden := torch.cat([labelled, target.inputs[rows].flatten(1)])]
        for layer in self.network.body:
            assert isinstance(layer, nn.Linear)
            weight = layer_map(hidden, layer.out_features, self.corruption)
            layer.weight.copy_(weight[:, :-1])
            layer.bias.copy_(weight[:, -1])
            seen.append(hidden := layer(hidden).tanh())
        self._fit_head(torch.cat(seen, dim=1)[: len(labelled)], labels)

    def _fit_head(self, inputs: Tensor, labels: Tensor) -> None:
        from sklearn.linear_model import LogisticRegression, Ridge

        rows = inputs.double().numpy()
        scale = math.sqrt((rows**2).sum(1).mean()) or 1.0
        if not self.task.is_classification:
            values = Ridge(alpha=1 / self.inverse_penalty).fit(rows / scale, labels.double().numpy())
            self.network.head.weight.copy_(torch.from_numpy(np.atleast_2d(values.coef_) / scale))
            self.network.head.bias.copy_(torch.tensor([float(values.intercept_)]))
            return
        seen = labels.unique()
        if len(seen) < 2:
            raise UsageError(f"msda needs source samples of at least two classes. Got {len(seen)}.")
        model = LogisticRegression(C=self.inverse_penalty, max_iter=2000).fit(rows / scale, labels.numpy())
        weight, bias = torch.from_numpy(model.coef_) / scale, torch.from_numpy(model.intercept_)
        scores = class_scores(weight, bias, seen, self.task)
        self.network.head.weight.copy_(scores.weight)
        self.network.head.bias.copy_(scores.bias)


def layer_map(inputs: Float[Tensor, "n d"], width: int, corruption: float) -> Float[Tensor, "width d_and_1"]:
    """One layer, its bias last: restores the `width` most frequent features from parts of at most that width.

    Where the layer is as wide as the input there is one part, and the map is `denoising_map`.

    >>> layer_map(torch.eye(4), 2, 0.5).shape
    torch.Size([2, 5])
    """
    features = inputs.shape[1]
    pivots = inputs[:, _most_frequent(inputs, width)]
    count = math.ceil(features / width)
    made = torch.zeros(width, features + 1, dtype=torch.float64, device=inputs.device)
    for first in range(count):
        part = denoising_map(inputs[:, first::count], pivots, corruption) / count
        made[:, first:-1:count] = part[:, :-1]
        made[:, -1] += part[:, -1]
    return made


def denoising_map(
    inputs: Float[Tensor, "n d"], targets: Float[Tensor, "n r"], corruption: float
) -> Float[Tensor, "r d+1"]:
    """What restores the targets best from corrupted inputs and a constant: `W = P Q⁻¹`, the constant's weights last.

    The least squares solution over infinitely many copies of the inputs x̃, in each of which a feature is zero with
    the probability p = `corruption`, independently: `P = E[t x̃ᵀ]`, `Q = E[x̃ x̃ᵀ]`. With q = 1 − p (1 for the
    constant) and S = x xᵀ, `P_ij = (t xᵀ)_ij q_j`, `Q_ij = S_ij q_i q_j`, and `Q_ii = S_ii q_i`.
    Paper: Chen et al. 2012, eq. 4–8; the diagonal of Q grows by 1e-5 of its mean.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> denoising_map(x, x, 0.5).round(decimals=2).tolist()
    [[0.5, -0.5, 0.5], [-0.5, 0.5, 0.5]]
    """
    x = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1).double()
    kept = x.new_full((x.shape[1],), 1 - corruption)
    kept[-1] = 1.0
    scatter = x.T @ x
    Q = scatter * kept * kept[:, None]
    Q.diagonal().copy_(scatter.diagonal() * kept)
    Q.diagonal().add_(RIDGE * Q.diagonal().mean())
    P = targets.double().T @ x * kept
    return torch.cholesky_solve(P.T, torch.linalg.cholesky(Q)).T


def _most_frequent(inputs: Float[Tensor, "n d"], count: int) -> Int[Tensor, " count"]:
    """The features that are most often not zero, in their order; ties go to the first."""
    if count == inputs.shape[1]:
        return torch.arange(count, device=inputs.device)
    often = inputs.count_nonzero(dim=0)
    return often.argsort(descending=True, stable=True)[:count].sort().values
