"""Several teachers as one: the mixture of what they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Domain, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.core.weights import fingerprint
from limbeck.teachers import Teacher

__all__ = ["Ensemble"]

LEAST = 1e-30
"""A probability below this has the logarithm of this one."""


class Ensemble(Teacher):
    """Other teachers of the recipe, by their names, answering together: `p(y | x) = Σ_k w_k softmax(z_k(x))_y`.

    For values, the weighted mean. Gives logits alone, which are `log p`: the members' representations have no common
    meaning.

    members: names of other teachers. weights: "equal", or by the "gap": the share that each member's source has in
    the mixture of sources that is most like the target; each member then names its `source`. The distribution-weighted
    combination of Mansour et al. 2009, section 3, with one weight a source.

    >>> Ensemble([])
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'members' of ensemble must be the names of at least one other teacher. Got [].
    """

    provides: ClassVar[frozenset[str]] = frozenset({"logits"})

    def __init__(self, members: Sequence[str], weights: Literal["equal", "gap"] = "equal"):
        if not members:
            raise bad_value("members", "ensemble", "the names of at least one other teacher", list(members))
        if len(set(members)) < len(members):
            raise bad_value("members", "ensemble", "different teachers", list(members))
        self.members = list(members)
        self.weights = weights
        self.teachers: list[Teacher] = []
        self.shares: list[float] = []

    def consults(self) -> tuple[str, ...]:
        return tuple(self.members)

    def by_gap(self) -> bool:
        return self.weights == "gap"

    def join(self, members: Mapping[str, Teacher], shares: Mapping[str, float]) -> None:
        self.teachers = [members[name] for name in self.members]
        weights = [shares[name] if self.by_gap() else 1.0 for name in self.members]
        if not sum(weights) > 0:
            raise UsageError("No member of the ensemble has a source that is like the target: set 'weights' to equal.")
        self.shares = [weight / sum(weights) for weight in weights]

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        self.task = task

    def inputs(self, domain: Domain) -> Tensor:
        if any(teacher.inputs(domain) is not domain.inputs for teacher in self.teachers):
            raise UsageError("A member of the ensemble prepares its inputs in its own way: train it in this run.")
        return domain.inputs

    def spec(self) -> Spec:
        return Spec(self.task.outputs)

    def label(self, inputs: Tensor) -> Knowledge:
        said = torch.stack([teacher.label(inputs).scores() for teacher in self.teachers])
        weights = torch.tensor(self.shares)
        if not self.task.is_classification:
            return Knowledge(torch.einsum("k,kno->no", weights, said))
        return Knowledge(mixed_logits(said, weights))

    def fingerprint(self) -> str:
        return fingerprint(str(self.shares), *(teacher.fingerprint() for teacher in self.teachers))


def mixed_logits(logits: Float[Tensor, "k n classes"], weights: Float[Tensor, " k"]) -> Float[Tensor, "n classes"]:
    """`log Σ_k w_k softmax(z_k)`, whose softmax is the mixture; weights with the sum 1.

    >>> sure, unsure = torch.tensor([[9.0, -9.0]]), torch.zeros(1, 2)
    >>> mixed_logits(torch.stack([sure, unsure]), torch.tensor([0.5, 0.5])).exp().tolist()
    [[0.75, 0.25]]
    """
    return torch.einsum("k,knc->nc", weights, logits.softmax(2)).clamp(min=LEAST).log()
