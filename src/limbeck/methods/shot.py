"""Source-free adaptation: the representation moves under a head that stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Self

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError
from limbeck.methods import Candidates, Evidence, Stream, Update
from limbeck.methods._composed import Composed, on_target_alone
from limbeck.methods._target_pass import keep_table, said_of, training_rows
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term
from limbeck.objectives.information_max import InformationMax

__all__ = ["Shot"]


class Shot(Composed):
    """Go on from a model of the source with unlabelled target samples alone: `L_IM + weight · CE(student, ŷ)`.

    Paper: Liang et al. 2020 (SHOT), section 3. The head, a hypothesis of the source, is frozen whole; the layers
    below it learn to give the target a representation that it is certain about. No source sample is seen, nor in
    the choice of the checkpoint. Of the two forms of the centroids this is the paper's; its code normalises the
    representation before it averages.

    weight: β of the paper, of the cross-entropy to the pseudo-labels ŷ. renew: epochs from one making of the
    pseudo-labels to the next. objectives: further terms, on the target.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    needs: ClassVar[frozenset[str]] = frozenset({"start"})
    source_free: ClassVar[bool] = True
    labels: Tensor

    def __init__(
        self,
        weight: Annotated[float, Ge(0)] = 0.3,
        renew: Annotated[int, Gt(0)] = 1,
        objectives: Sequence[Term | Objective] = (),
    ):
        super().__init__(objectives)
        on_target_alone(self)
        self.weight = weight
        self.renew = renew
        self.information = InformationMax()

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """Where no sample of the source may be read, on from the teacher's own weights."""
        if not (evidence.source_free and evidence.copied and evidence.task.is_classification):
            return {}
        return {"shot": {"shot": {}, "start": evidence.teacher}}

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("shot sorts samples into classes, and the task is regression.")
        self.head.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in student.parameters()):
            raise UsageError("shot trains what lies below the head, and this student is a head alone.")
        keep_table(self, "labels", torch.empty(0, dtype=torch.int64))

    @property
    def head(self) -> nn.Module:
        """What makes the outputs of the representation."""
        return self.student.network.get_submodule(self.student.head)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.head.eval()
        return self

    def start_epoch(self, epoch: int, target: DomainView) -> None:
        super().start_epoch(epoch, target)
        if epoch % self.renew:
            return
        rows = training_rows(target)
        said = said_of(self.student, target, rows)
        found = centroid_labels(said.feature(), said.logits.softmax(1))
        self.labels = found.new_full((len(target.inputs),), -1)
        self.labels[rows.to(found.device)] = found

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        outputs, losses = self.said(batches, knowledge)
        batch, said = batches["target"], outputs["target"]
        losses["information"] = self.information(said, Knowledge(), batch)
        if len(self.labels):  # they are made at the start of an epoch
            found = nn.functional.cross_entropy(said.logits.float(), self.labels[batch.index])
            losses["pseudo_labels"] = self.weight * found
        return [Update(losses)]


def centroid_labels(features: Float[Tensor, "n d"], probabilities: Float[Tensor, "n classes"]) -> Int[Tensor, " n"]:
    """Pseudo-labels by the nearest centroid, in two rounds of k-means with the cosine distance.

    First `c_k = Σ_i p_ik g_i / Σ_i p_ik`, and each sample the class of the nearest; then the same with these labels
    in place of p. A class that has no sample in the first round gets none.

    >>> centroid_labels(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), torch.eye(2)[[0, 1, 1]])
    tensor([0, 0, 1])
    """
    first = _nearest(features, probabilities)
    return _nearest(features, nn.functional.one_hot(first, probabilities.shape[1]).to(features.dtype))


def _nearest(features: Float[Tensor, "n d"], weights: Float[Tensor, "n classes"]) -> Int[Tensor, " n"]:
    centroids = weights.T @ features  # the cosine does not see that they are not divided by the sum of the weights
    cosine = nn.functional.normalize(features) @ nn.functional.normalize(centroids).T
    return cosine.masked_fill(weights.sum(0) == 0, -torch.inf).argmax(1)
