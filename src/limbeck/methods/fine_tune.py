"""Fine-tuning of a source model on the few labelled target samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

from limbeck.core import Batch, Knowledge, Spec, Task
from limbeck.methods import Method, Stream, Update
from limbeck.methods._freezing import frozen_layers, layers_with_parameters
from limbeck.methods._hard_labels import hard_label_losses, hard_objective
from limbeck.networks import Observed

__all__ = ["FineTune"]


class FineTune(Method):
    """Go on training another row's student (or the teacher) on the k labelled target samples.

    freeze: a fraction of the layers, from the input side, or a list of layer names; a frozen
    layer's BatchNorm statistics stay too. layer_decay: the learning rate falls by this factor
    from each layer to the one below it (Howard & Ruder 2018, discriminative fine-tuning).
    l2_sp: weight of `½ ‖w − w₀‖²` towards the starting point (Li et al. 2018, eq. 2).
    """

    streams: ClassVar[tuple[Stream, ...]] = ("labelled",)
    needs: ClassVar[frozenset[str]] = frozenset({"start"})

    def __init__(
        self,
        freeze: Annotated[float, Ge(0), Lt(1)] | Sequence[str] = 0.0,
        layer_decay: Annotated[float, Gt(0), Le(1)] = 1.0,
        l2_sp: Annotated[float, Ge(0)] = 0.0,
    ):
        super().__init__()
        self.freeze = freeze
        self.layer_decay = layer_decay
        self.l2_sp = l2_sp

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        super().build(student, task, spec, knowledge)
        self.objective = hard_objective(task)
        self.frozen = frozen_layers(student.network, self.freeze)
        for layer in self.frozen:
            for parameter in student.network.get_submodule(layer).parameters(recurse=False):
                parameter.requires_grad_(False)
        if self.l2_sp:
            fixed = [nn.Parameter(p.detach().clone(), requires_grad=False) for p in _trained(student)]
            self.start = nn.ParameterList(fixed)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for layer in self.frozen:
            self.student.network.get_submodule(layer).training = False  # its sublayers have names of their own
        return self

    def parameter_groups(self) -> dict[str, list[dict[str, Any]]]:
        layers = [layer for layer in layers_with_parameters(self.student.network) if layer not in set(self.frozen)]
        groups: list[dict[str, Any]] = []
        placed: set[int] = set()  # weights that two layers share move with the later one
        for height, layer in enumerate(reversed(layers)):
            all_own = self.student.network.get_submodule(layer).parameters(recurse=False)
            own = [parameter for parameter in all_own if id(parameter) not in placed]
            placed |= set(map(id, own))
            if own:
                groups.append({"params": own, "scale": self.layer_decay**height})
        return {"student": groups}

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        batch = batches["labelled"]
        losses = hard_label_losses(self.student(batch.inputs), batch, self.objective)
        if self.l2_sp:
            losses["l2_sp"] = self.l2_sp / 2 * self._moved()
        return [Update(losses)]

    def _moved(self) -> Tensor:
        moved = [(p - start).square().sum() for p, start in zip(_trained(self.student), self.start, strict=True)]
        return torch.stack(moved).sum()


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
