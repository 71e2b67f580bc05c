"""Maximum classifier discrepancy: two heads disagree where the target is uncertain, and the body prevents it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.core import FEATURES, Batch, Knowledge, Outputs, Spec, Task, UsageError, bad_value
from limbeck.methods import Stream, Update
from limbeck.methods._composed import Composed, Statistics
from limbeck.networks import Observed
from limbeck.objectives import Objective, Term
from limbeck.objectives.cross_entropy import CrossEntropy

__all__ = ["Mcd"]


class Mcd(Composed):
    """Adversarial adaptation by the decision boundaries of the student's head and of a second one.

    Each step has three kinds of updates, every one after the one before: (A) body and heads learn the source's
    labels, and the objectives; (B) the heads alone go on to learn the labels, and to disagree on the target;
    (C) the body alone learns that they agree there, `steps` times.

    Paper: Saito et al. 2018 (MCD), eq. 1–9. Deviation: each kind of update has an optimiser of its own, so that its
    moments are of one loss. The second head is one linear layer, and is discarded at the end: what is evaluated is
    the student as it is, with its own head.
    Needs: classes; samples of the source and of the target in every step.
    Cost: by nature 3 + `steps` passes through the body in a step, of which the two of (B) are without gradients.

    objectives: further terms, such as `kl` on the target, which move in (A). steps: n of the paper. statistics: as
    of `distill`.

    >>> Mcd(steps=0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'steps' of mcd must be at least 1. Got 0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")

    def __init__(
        self,
        objectives: Sequence[Term | Objective] = (),
        steps: Annotated[int, Ge(1)] = 4,
        statistics: Statistics = "separate",
    ):
        super().__init__(objectives, statistics)
        if steps < 1:
            raise bad_value("steps", "mcd", "at least 1", steps)
        self.steps = steps
        self.hard_labels = CrossEntropy()

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("mcd compares class probabilities, and the task is regression: use align or adversarial.")
        self.second = nn.Linear(math.prod(spec.layers[FEATURES]), spec.outputs)

    @property
    def head(self) -> nn.Module:
        """The student's own head."""
        return self.student.network.get_submodule(self.student.head)

    def parameter_groups(self) -> dict[str, list[dict[str, Any]]]:
        heads = [*self.head.parameters(), *self.second.parameters()]
        of_heads = {id(parameter) for parameter in heads}
        body = [parameter for parameter in self.student.parameters() if id(parameter) not in of_heads]
        groups = {"student": [*self.parameters()], "heads": heads, "body": body}
        return {
            name: [{"params": [p for p in found if p.requires_grad], "scale": 1.0}] for name, found in groups.items()
        }

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> Iterator[Update]:
        outputs, losses = self.said(batches, knowledge)
        yield Update(self._label_losses(outputs["source"], batches["source"]) | losses)
        yield Update(self._apart(batches), "heads")
        for _ in range(self.steps):
            target = self.student(batches["target"].inputs)
            yield Update({"discrepancy": self._discrepancy(target)}, "body")

    def _apart(self, batches: Mapping[str, Batch]) -> dict[str, Tensor]:
        """(B): the losses of the heads on representations that are given."""
        with torch.no_grad():
            given = self.outputs({name: batches[name] for name in ("source", "target")})
        source, target = (Outputs(self.head(found.features[FEATURES]), found.features) for found in given.values())
        losses = self._label_losses(source, batches["source"])
        return {f"{name}_heads": loss for name, loss in losses.items()} | {"disagreement": -self._discrepancy(target)}

    def _label_losses(self, source: Outputs, batch: Batch) -> dict[str, Tensor]:
        second = Outputs(self.second(source.feature()))
        return {
            "hard_labels": self.hard_labels(source, Knowledge(), batch),
            "hard_labels_second": self.hard_labels(second, Knowledge(), batch),
        }

    def _discrepancy(self, target: Outputs) -> Tensor:
        return discrepancy(target.logits, self.second(target.feature()))


def discrepancy(first: Float[Tensor, "n classes"], second: Float[Tensor, "n classes"]) -> Float[Tensor, ""]:
    """`mean |softmax(z₁) − softmax(z₂)|` over classes and samples, in [0, 2/classes] (Saito et al. 2018, eq. 2).

    >>> round(float(discrepancy(torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 50.0]]))), 4)
    1.0
    """
    return (first.float().softmax(1) - second.float().softmax(1)).abs().mean()
