"""A teacher that is a network: trained on the source here, or loaded from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from limbeck.core import Domain, Knowledge, Spec, Task, UsageError
from limbeck.core.weights import fingerprint, load_weights, read_weights
from limbeck.data import Preprocessing, restore_preprocessing
from limbeck.networks import Network, Observed
from limbeck.teachers import Teacher

__all__ = ["NetworkTeacher"]


class NetworkTeacher(Teacher):
    """Any network as a teacher; gives logits and every inner layer.

    network: a part of `networks/`, or any `nn.Module` by its dotted path. weights: a safetensors
    file; without it the network is trained on the source first. A file written by limbeck brings
    its classes, which must be ours in our order, and its own preprocessing, which is applied to
    the raw inputs, so that teacher and student may be fed differently. Values that it learnt to
    predict in another unit (offset and scale of its own source) are brought into ours.
    """

    provides: ClassVar[frozenset[str]] = frozenset({"logits", "features"})

    def __init__(self, network: nn.Module, weights: Path | None = None):
        self.network = network
        self.weights = weights
        self.preprocessing: Preprocessing | None = None
        self.units = (1.0, 0.0)

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        state: dict[str, Tensor] = {}
        if self.weights is not None:
            state, about = read_weights(self.weights)
            _check_classes(about.get("task"), task, self.weights)
            self.units = _units(about.get("task"), task)
            if about.get("preprocessing"):
                self.preprocessing = restore_preprocessing(about["preprocessing"])
                shape = tuple(about["shape"])
        self.shape = shape
        if isinstance(self.network, Network):
            self.network.build(shape, task.outputs)
        if self.weights is not None:
            load_weights(self.network, state, str(self.weights))
        self.observed = Observed(self.network, layers)
        outputs = self.spec().outputs
        if outputs != task.outputs:
            raise UsageError(
                f"The teacher network {type(self.network).__name__} gives {outputs} outputs, and the task has "
                f"{task.outputs}{': ' + ', '.join(task.classes) if task.classes else ''}."
            )

    def trainable(self) -> nn.Module | None:
        return self.network if self.weights is None else None

    def body(self) -> nn.Module | None:
        return self.network

    def inputs(self, domain: Domain) -> Tensor:
        return domain.inputs if self.preprocessing is None else self.preprocessing.transform(domain.raw)

    def spec(self) -> Spec:
        return self.observed.spec(self.shape)

    @torch.no_grad()
    def label(self, inputs: Tensor) -> Knowledge:
        self.observed.eval()
        outputs = self.observed(inputs)
        gain, shift = self.units
        features = {name: value.float() for name, value in outputs.features.items()}
        return Knowledge(outputs.logits.float() * gain + shift, features)

    def fingerprint(self) -> str:
        own = f"{type(self.network).__module__}:{type(self.network).__name__}"
        return fingerprint(own, str(self.network), str(self.units), self.network.state_dict())


def _units(theirs: dict[str, Any] | None, task: Task) -> tuple[float, float]:
    """What brings a regression teacher's outputs from the unit that it learnt in to ours: a factor, then a sum."""
    if theirs is None or task.is_classification:
        return 1.0, 0.0
    known = Task.from_state(theirs)
    return known.scale / task.scale, (known.offset - task.offset) / task.scale


def _check_classes(theirs: dict[str, Any] | None, task: Task, path: Path) -> None:
    if theirs is None:  # a file from elsewhere says nothing of its classes
        return
    known = tuple(theirs["classes"])
    if theirs["kind"] != task.kind:
        raise UsageError(f"The teacher in {path} was trained for {theirs['kind']}, and the task is {task.kind}.")
    if known == task.classes:
        return
    if sorted(known) == sorted(task.classes):
        fault = "the same classes in another order"
    else:
        fault = "other classes"
    raise UsageError(
        f"The teacher in {path} knows {fault}: {', '.join(known)}. The task has: {', '.join(task.classes)}. "
        "Train a teacher in this run (leave out 'weights'), or give the data the teacher's classes by 'mapping'."
    )
