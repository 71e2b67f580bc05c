"""Group DRO: the source domain that fares worst weighs most, for a target of which nothing is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
from jaxtyping import Bool, Float
from torch import Tensor

from limbeck.core import Batch, Knowledge, Spec, Task, bad_value
from limbeck.methods import Stream, Update
from limbeck.methods._composed import Composed, Statistics
from limbeck.methods._hard_labels import sample_losses
from limbeck.methods._target_pass import keep_table
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term

__all__ = ["GroupDro"]


class GroupDro(Composed):
    """The hard-label losses of the source domains, `Σ_d q_d ℓ_d`, with weights that follow the largest of them.

    In each step `q_d ← q_d exp(rate · ℓ_d) / Σ_e q_e exp(rate · ℓ_e)`, from equal weights on; ℓ_d is the mean
    cross-entropy (squared error for values) of the domain's samples in the batch, and a domain that has none there
    counts with a loss of 0.

    Paper: Sagawa et al. 2020, algorithm 1. Deviation: a batch has samples of all domains, as they come, where the
    paper draws one domain a step; the penalty and the adjustment of its section 3 are left to `training`.
    Needs: several source domains (the data part `several`); the target is never seen.

    objectives: further terms, such as `align_sources`, or `kl` on the source. rate: η of the paper, how fast the
    weights move. statistics: as of `distill`.

    >>> GroupDro(rate=0.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'rate' of group_dro must be > 0. Got 0.0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source",)
    needs: ClassVar[frozenset[str]] = frozenset({"domains"})
    weights: Tensor

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        rate: Annotated[float, Gt(0)] = 0.01,
        statistics: Statistics = "separate",
    ):
        super().__init__(objectives, statistics)
        if not rate > 0:
            raise bad_value("rate", "group_dro", "> 0", rate)
        self.rate = rate

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        keep_table(self, "weights", torch.empty(0))  # one a domain, from the first step on

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        outputs, losses = self.said(batches, knowledge)
        batch = batches["source"]
        found = domain_losses(sample_losses(outputs["source"], batch.labels), batch.members)
        if not len(self.weights):
            self.weights = torch.full_like(found, 1 / len(found)).detach()
        self.weights = moved_weights(self.weights, found.detach(), self.rate)
        return [Update({"domains": (self.weights * found).sum()} | losses)]


def domain_losses(losses: Float[Tensor, " n"], members: Bool[Tensor, "n domains"]) -> Float[Tensor, " domains"]:
    """The mean of each domain's losses; 0 for one that has no sample.

    >>> domain_losses(torch.tensor([1.0, 2.0, 4.0]), torch.eye(3, dtype=torch.bool)[[0, 2, 2]])
    tensor([1., 0., 3.])
    """
    return (losses[:, None] * members).sum(0) / members.sum(0).clamp(min=1)


def moved_weights(
    weights: Float[Tensor, " domains"], losses: Float[Tensor, " domains"], rate: float
) -> Float[Tensor, " domains"]:
    """`q_d exp(rate · ℓ_d)`, divided by their sum: an exponentiated gradient step (Sagawa et al. 2020, algorithm 1).

    >>> moved_weights(torch.tensor([0.5, 0.5]), torch.tensor([0.0, 1.0]), rate=1.0986123)  # log 3
    tensor([0.2500, 0.7500])
    """
    # A weight that had come to 0 would never grow again.
    return (weights.clamp(min=torch.finfo(weights.dtype).tiny).log() + rate * losses).softmax(0)
