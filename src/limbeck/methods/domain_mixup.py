"""Mixup across domains: the student learns what lies between samples of different source domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
from jaxtyping import Bool, Float, Int
from torch import Tensor

from limbeck.core import Batch, Knowledge, bad_value
from limbeck.methods import Stream, Update
from limbeck.methods._composed import Composed, Statistics
from limbeck.methods._hard_labels import sample_losses
from limbeck.objectives import Objective, Term

__all__ = ["DomainMixup"]


class DomainMixup(Composed):
    """`mean_i λ_i ℓ(f(x̃_i), y_i) + (1 − λ_i) ℓ(f(x̃_i), y_j)` at mixtures `x̃_i = λ_i x_i + (1 − λ_i) x_j`.

    j is a sample of another source domain in the batch, drawn with equal chances, and i itself where there is none;
    λ_i ~ Beta(alpha, alpha). For the cross-entropy this is that to the mixed label; for values it differs from the
    squared error to the mixed value by a constant.

    Paper: Zhang et al. 2018, eq. 1–2, for the mixture; Gulrajani & Lopez-Paz 2021 for pairs of domains. Deviation: a
    partner and a λ for each sample, where they draw one pair of domains and one λ for a batch.
    Needs: several source domains (the data part `several`); the target is never seen.

    objectives: further terms, which see the samples as they are, in a pass of their own. alpha: of the Beta
    distribution, larger for more even mixtures. statistics: as of `distill`.

    >>> DomainMixup(alpha=0.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'alpha' of domain_mixup must be > 0. Got 0.0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source",)
    needs: ClassVar[frozenset[str]] = frozenset({"domains"})

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        alpha: Annotated[float, Gt(0)] = 0.2,
        statistics: Statistics = "separate",
    ):
        super().__init__(objectives, statistics)
        if not alpha > 0:
            raise bad_value("alpha", "domain_mixup", "> 0", alpha)
        self.alpha = alpha

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        losses = self.said(batches, knowledge)[1] if self.terms.terms else {}
        batch = batches["source"]
        other = partners(batch.members)
        share = torch.distributions.Beta(self.alpha, self.alpha).sample((len(batch),)).to(batch.inputs)
        wide = share.view(-1, *[1] * (batch.inputs.ndim - 1))
        outputs = self.student(wide * batch.inputs + (1 - wide) * batch.inputs[other])
        own, others = (sample_losses(outputs, labels) for labels in (batch.labels, batch.labels[other]))
        return [Update({"mixtures": mixed_loss(own, others, share)} | losses)]


def partners(members: Bool[Tensor, "n domains"]) -> Int[Tensor, " n"]:
    """For each sample one of another domain, drawn with equal chances; itself where there is none.

    >>> partners(torch.eye(2, dtype=torch.bool)[[0, 1, 1]]).tolist()[1:]
    [0, 0]
    >>> partners(torch.eye(2, dtype=torch.bool)[[1, 1]]).tolist()
    [0, 1]
    """
    apart = ~(members[:, None] & members).any(2)
    drawn = torch.rand(apart.shape, device=members.device) + 1
    return (drawn * apart + 0.5 * torch.eye(len(members), device=members.device)).argmax(1)


def mixed_loss(own: Float[Tensor, " n"], others: Float[Tensor, " n"], share: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """`mean_i λ_i own_i + (1 − λ_i) others_i`.

    >>> float(mixed_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([0.25])))
    2.5
    """
    return (share * own + (1 - share) * others).mean()
