"""Adaptive batch normalisation: another row's weights, with statistics of the target."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from limbeck.core import Batch, DomainView, Knowledge, Spec, Task, UsageError, bad_value
from limbeck.methods import Method, Stream, Update
from limbeck.networks import Observed, evaluating

__all__ = ["Adabn"]


class Adabn(Method):
    """Replace the mean and variance of each batch normalisation by those of the unlabelled target.

    They are the exact ones of all training samples, as if they had passed in one batch: layer by layer, input side
    first, each over what the layers before it give with their new statistics. So neither the batch size nor an order
    matters, and the cost is one pass without gradients for each such layer. No weight changes.

    Paper: Li et al. 2017 (AdaBN), algorithm 1.
    Needs: `start`, a row or teacher with batch normalisation that keeps statistics.

    batch_size: samples in memory at a time.

    >>> Adabn().requires()
    frozenset({'start'})
    """

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    needs: ClassVar[frozenset[str]] = frozenset({"start"})
    closed_form: ClassVar[bool] = True

    def __init__(self, batch_size: Annotated[int, Gt(0)] = 512):
        super().__init__()
        if batch_size < 1:
            raise bad_value("batch_size", "adabn", "> 0", batch_size)
        self.batch_size = batch_size

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        if not _normalisations(student):
            raise UsageError(
                f"adabn estimates the statistics of batch normalisation anew, and {type(student.network).__name__} "
                "keeps none. Start from a row whose student has it, or leave this row out."
            )
        self.before = copy.deepcopy(student)

    @property
    def on_source(self) -> Observed:
        return self.before

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        """None: `fit` finds everything at once."""
        return []

    @torch.no_grad()
    def fit(self, source: DomainView, target: DomainView) -> None:
        """Estimate the statistics on the target's training inputs; the source is not read."""
        rows = torch.cat([target.splits["labelled"], target.splits["train"]])
        self.before.load_state_dict(self.student.state_dict())
        with evaluating(self.student):
            for norm in _in_order_of_use(self.student, target.inputs[rows[:2]]):
                moments = _Moments()
                hook = norm.register_forward_pre_hook(moments.add)
                try:
                    for batch in self._placed(target, rows):
                        self.student(batch)
                finally:
                    hook.remove()
                moments.write(norm)

    def _placed(self, target: DomainView, rows: Tensor) -> Iterator[Tensor]:
        device = next(self.student.parameters()).device
        return (target.inputs[some].to(device) for some in rows.split(self.batch_size))


class _Moments:
    """Mean and variance by channel over batches, merged exactly (Chan et al. 1979, eq. 1.5), in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.scatter = torch.zeros(())

    def add(self, norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].double().movedim(1, 0).flatten(1)
        count = values.shape[1]
        mean = values.mean(1)
        scatter = (values - mean[:, None]).square().sum(1)
        if not self.count:
            self.count, self.mean, self.scatter = count, mean, scatter
            return
        whole, moved = self.count + count, mean - self.mean
        self.scatter = self.scatter + scatter + moved.square() * (self.count * count / whole)
        self.mean = self.mean + moved * (count / whole)
        self.count = whole

    def write(self, norm: _BatchNorm) -> None:
        """As torch keeps them: the variance with n − 1."""
        if self.count < 2:
            raise UsageError("adabn needs at least two values of a channel to tell their variance. Got one sample.")
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(self.mean)
        norm.running_var.copy_(self.scatter / (self.count - 1))


def _normalisations(student: Observed) -> list[_BatchNorm]:
    """The layers that normalise by running statistics."""
    norms = [module for module in student.network.modules() if isinstance(module, _BatchNorm)]
    return [norm for norm in norms if norm.running_mean is not None]


def _in_order_of_use(student: Observed, inputs: Tensor) -> list[_BatchNorm]:
    """These layers in the order in which they are called, each once; those that are never called are left out."""
    called: dict[_BatchNorm, None] = {}
    hooks = [
        norm.register_forward_pre_hook(lambda norm, _: called.setdefault(norm)) for norm in _normalisations(student)
    ]
    try:
        student(inputs.to(next(student.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return list(called)
