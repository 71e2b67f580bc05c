"""Another row's student, its scores moved towards given class shares on the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Gt, Le
from jaxtyping import Float
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.methods import Method, Stream, Update
from limbeck.networks import Observed, evaluating

__all__ = ["ShareShift"]

BATCH = 1024
"""So many samples go through the network at once."""


class ShareShift(Method):
    """Add a constant to each class's score, so that the target's classes come out in even or in the source's shares.

    With the scores z_n of the unlabelled target, b solves `mean_n softmax(z_n + b) = q`, the column scaling of
    Sinkhorn's iteration (Cuturi 2013, section 4), which is the least of the convex `mean_n logsumexp(z_n + b) - q b`;
    the scores become `z + strength b`. Where a shift of the inputs moves all scores to one side, a decision that was
    right on the source stands beside the middle of the target: this moves it back. No weight changes; of two classes
    the ranking of the samples stays, and so does its AUC. It is made for balanced accuracy: where classes are rare
    on the target, accuracy may fall by it.

    Needs: `start`, a row or teacher with classes.

    shares: "even", all classes alike, or the "source"'s. strength: in (0, 1], the part of the way to them: the
    target's own shares are unknown, so that half of the way errs less.

    >>> ShareShift(strength=2.0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'strength' of share_shift must be in (0, 1]. Got 2.0.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")
    needs: ClassVar[frozenset[str]] = frozenset({"start"})
    closed_form: ClassVar[bool] = True

    def __init__(self, shares: Literal["even", "source"] = "even", strength: Annotated[float, Gt(0), Le(1)] = 0.5):
        super().__init__()
        if not 0 < strength <= 1:
            raise bad_value("strength", "share_shift", "in (0, 1]", strength)
        self.shares = shares
        self.strength = strength

    def reads(self) -> tuple[Stream, ...]:
        return self.streams if self.shares == "source" else ("target",)

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not task.is_classification:
            raise UsageError("share_shift moves the scores of classes, and the task is regression: leave this row out.")
        student.requires_grad_(False)
        self.moved = Observed(_Moved(student, task.outputs))

    @property
    def evaluated(self) -> Observed:
        return self.moved

    @property
    def on_source(self) -> Observed:
        return self.student

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        """None: `fit` finds everything at once."""
        return []

    @torch.no_grad()
    def fit(self, source: DomainView, target: DomainView) -> None:
        """Find the shift on the target's training inputs; of the source at most the shares of its labels are read."""
        rows = torch.cat([target.splits["labelled"], target.splits["train"]])
        device = next(self.parameters()).device
        with evaluating(self.student):
            scores = [self.student(target.inputs[part].to(device)).logits.double() for part in rows.split(BATCH)]
        found = shift_to(torch.cat(scores).cpu(), self._wanted(source))
        network = self.moved.network
        assert isinstance(network, _Moved)
        network.shift.copy_(self.strength * found)

    def _wanted(self, source: DomainView) -> Tensor:
        if self.shares == "even":
            return torch.full((self.task.outputs,), 1 / self.task.outputs, dtype=torch.float64)
        _, labels = source.training()
        counts = torch.bincount(labels, minlength=self.task.outputs).double().clamp(min=0.5)  # 0 is out of reach
        return counts / counts.sum()


class _Moved(nn.Module):
    def __init__(self, body: Observed, classes: int):
        super().__init__()
        self.body = body
        self.register_buffer("shift", torch.zeros(classes))

    shift: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs).logits + self.shift


def shift_to(scores: Float[Tensor, "n classes"], shares: Float[Tensor, " classes"]) -> Float[Tensor, " classes"]:
    """The b, of mean 0, with which `mean_n softmax(scores_n + b)` are the shares, all above 0; float64.

    >>> scores = torch.tensor([[2.0, 0.0], [4.0, 0.0]], dtype=torch.float64)
    >>> shift_to(scores, torch.tensor([0.5, 0.5], dtype=torch.float64)).round(decimals=4).tolist()
    [-1.5, 1.5]
    """
    from scipy.optimize import minimize

    z, q = scores.numpy(), shares.numpy()

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        moved = torch.from_numpy(z + b)
        return float(moved.logsumexp(1).mean()) - float(q @ b), moved.softmax(1).mean(0).numpy() - q

    found = minimize(loss, np.zeros(len(q)), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    return torch.from_numpy(found.x - found.x.mean())
