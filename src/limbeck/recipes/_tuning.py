"""How a compressed student is fine-tuned: by which method, taught by whom."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from limbeck.augmentations import Views
from limbeck.compression import TUNING
from limbeck.core import Domain, Knowledge, Spec, Task
from limbeck.core.weights import fingerprint
from limbeck.knowledge import Labelling, Live, Reader, label_domain
from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.recipes._context import Context
from limbeck.recipes._keys import ITSELF, KnowledgePlan, Row, Step
from limbeck.recipes._knowledge_stage import reader_of, trained_rows
from limbeck.recipes._nodes import ObjectNode, ValueNode
from limbeck.recipes._plan import Plan
from limbeck.recipes._schema import Faults, parse
from limbeck.recipes._views import views_of
from limbeck.teachers import Teacher

__all__ = ["teacher_of_step", "tuned_node", "tuning_method", "tuning_readers"]


class Itself(Teacher):
    """The row's student before any step, as a teacher."""

    provides: ClassVar[frozenset[str]] = frozenset({"logits", "features"})

    def __init__(self, network: nn.Module, shape: tuple[int, ...], layers: Iterable[str] = ()):
        self.shape = shape
        self.observed = Observed(copy.deepcopy(network), layers)

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        """It is built."""

    def spec(self) -> Spec:
        return self.observed.spec(self.shape)

    @torch.no_grad()
    def label(self, inputs: Tensor) -> Knowledge:
        self.observed.eval()
        outputs = self.observed(inputs)
        return Knowledge(outputs.logits.float(), {name: value.float() for name, value in outputs.features.items()})

    def fingerprint(self) -> str:
        return fingerprint(str(self.observed.network), self.observed.network.state_dict())


def teacher_of_step(plan: Plan, row: Row, name: str, step: Step) -> str:
    """Who teaches a step: a teacher's name, or `ITSELF`."""
    if step.teacher is not None:
        return step.teacher
    own = plan.teacher_of(name) if row.method.knowledge_streams() else None
    return ITSELF if step.step.by_itself or own is None else own


def tuned_node(node: ObjectNode, step: Step) -> ObjectNode:
    """A row with the training of a step."""
    training = {**node.settings["training"].make(), **step.training, **step.step.training}
    return replace(node, settings={**node.settings, "training": ValueNode(training)})


def tuning_method(step: Step, task: Task) -> Method:
    """The method of a step's fine-tuning: its own, or distillation on the target."""
    if step.method is not None:
        return copy.deepcopy(step.method)
    faults = Faults()
    node = parse(Method, TUNING[task.kind], "compress", "compress", faults)
    faults.raise_any("the fine-tuning")
    method: Method = node.make()
    return method


def tuning_readers(
    context: Context, name: str, seed: int, step: Step, method: Method, student: nn.Module
) -> Mapping[str, Reader]:
    """Where a step's fine-tuning gets its teacher's knowledge, by domain. student: the row's, before any step."""
    plan, streams = context.plan, method.knowledge_streams()
    views = views_of(plan, plan.rows[name], method, seed)
    teacher = teacher_of_step(plan, plan.rows[name].make(), name, step)
    readers: dict[str, Reader] = {}
    for domain in (context.source, context.target):
        shown = views.get(domain.role) or (views.get("labelled") if domain.role == "target" else None)
        if domain.role not in streams and not (domain.role == "target" and "labelled" in streams):
            continue
        if teacher == ITSELF:
            itself = Itself(student, context.source.shape, method.knowledge_layers())
            readers[domain.role] = _own_reader(context, itself, domain, shown, sorted(method.knowledge_layers()))
        else:
            readers[domain.role] = reader_of(context, name, teacher, seed, domain, shown)
    return readers


def _own_reader(context: Context, teacher: Teacher, domain: Domain, views: Views | None, layers: list[str]) -> Reader:
    """What a student said before: stored, or asked again where it is to see endless views."""
    settings: KnowledgePlan = context.plan.make("knowledge")
    if settings.read == "live" or (views is not None and views.count is None):
        return Live(teacher, domain.inputs, views)
    labelling = Labelling(settings.keeping, views, trained_rows(domain))
    return label_domain(context.folder / "knowledge", teacher, domain.inputs, layers, labelling)
