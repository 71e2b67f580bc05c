"""From a plan to built networks: teachers, and students inside their methods, the same at every call."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from limbeck.core import Spec, Task, UsageError, stream_seed
from limbeck.core.weights import load_weights, read_weights
from limbeck.methods import DEFAULT, Method
from limbeck.networks import Network, Observed
from limbeck.recipes._keys import Row, TeacherPlan
from limbeck.recipes._plan import Plan
from limbeck.recipes._rooms import parts_of
from limbeck.teachers import Teacher

__all__ = [
    "Frame",
    "built_method",
    "built_student",
    "built_teacher",
    "knowledge_layers",
    "parameter_bytes",
    "taught_methods",
    "teaching_method",
]


@dataclass(frozen=True)
class Frame:
    """What every network of a run is built for: the shape of one sample, the task, the shares of several sources."""

    shape: tuple[int, ...]
    task: Task
    shares: Mapping[str, float] = field(default_factory=dict)


def taught_methods(plan: Plan, teacher: str) -> list[Method]:
    """The methods of the rows that this teacher teaches."""
    methods = [row.make().method for name, row in plan.rows.items() if plan.teacher_of(name) == teacher]
    return [method for method in methods if method.knowledge_streams()]


def knowledge_layers(plan: Plan, teacher: str) -> list[str]:
    """The layers of a teacher that any row reads."""
    return sorted({layer for method in taught_methods(plan, teacher) for layer in method.knowledge_layers()})


def built_teacher(
    plan: Plan,
    name: str,
    seed: int,
    frame: Frame,
    weights: Path | None = None,
    members: Mapping[str, Teacher] | None = None,
) -> Teacher:
    """A teacher of the plan for a seed, with the weights trained in this run where they are given.

    members: the teachers that it consults, as they were trained; untrained ones where they are not given.
    """
    torch.manual_seed(stream_seed(seed, "init", "teacher"))
    made: TeacherPlan = plan.teachers[name].make()
    teacher = copy.deepcopy(made.teacher)
    if teacher.consults():
        asked = members or {member: built_teacher(plan, member, seed, frame) for member in teacher.consults()}
        teacher.join(asked, _shares(plan, teacher, frame))
    teacher.build(frame.shape, frame.task, knowledge_layers(plan, name))
    network = teacher.trainable()
    if weights is not None and network is not None:
        load_weights(network, read_weights(weights)[0], str(weights))
    return teacher


def _shares(plan: Plan, teacher: Teacher, frame: Frame) -> dict[str, float]:
    """By the name of each teacher that is consulted, the share of its source; nothing where they are not asked for."""
    if not teacher.by_gap():
        return {}
    sources = {member: plan.teachers[member].settings["source"].make() for member in teacher.consults()}
    unknown = [member for member, source in sources.items() if source not in frame.shares]
    if unknown:
        known = ", ".join(frame.shares)
        raise UsageError(
            f"The weights by gap need the 'source' of each member, one of: {known}. {unknown[0]!r} has none of them."
        )
    return {member: frame.shares[source] for member, source in sources.items()}


def teaching_method(made: TeacherPlan, network: nn.Module, frame: Frame) -> Method:
    """The method by which a teacher's network is trained on the source, with it inside."""
    method: Method = copy.deepcopy(made.method) if made.method is not None else parts_of(Method)[DEFAULT]()
    observed = Observed(network, method.student_layers())
    method.build(observed, frame.task, observed.spec(frame.shape), Spec(0))
    return method


def built_method(plan: Plan, name: str, seed: int, frame: Frame, knowledge: Spec, start: Path | None = None) -> Method:
    """A row's method with its student inside; `start` are the weights that it goes on from."""
    row: Row = plan.rows[name].make()
    method = copy.deepcopy(row.method)  # it may be an object from Python, which every seed would share
    network, task = built_student(plan, name, seed, frame), frame.task
    if start is not None:
        load_weights(network, read_weights(start)[0], f"row {row.start!r}")
    observed = Observed(network, method.student_layers())
    spec = observed.spec(frame.shape)
    if spec.outputs != task.outputs:
        classes = f": {', '.join(task.classes)}" if task.classes else ""
        raise UsageError(
            f"The student of row {name!r} gives {spec.outputs} outputs, and the task has {task.outputs}{classes}."
        )
    torch.manual_seed(stream_seed(seed, "init", name))
    method.build(observed, task, spec, knowledge)
    return method


def built_student(plan: Plan, name: str, seed: int, frame: Frame) -> nn.Module:
    """A row's network before any training: the recipe's, its own, or that of the teacher it starts from."""
    row: Row = plan.rows[name].make()
    torch.manual_seed(stream_seed(seed, "init", "student"))
    if row.start in plan.teachers:
        body = built_teacher(plan, row.start, seed, frame).body()
        if body is None:
            raise UsageError(f"The teacher {row.start!r} has no network that a student could start from.")
        return body
    network = copy.deepcopy(row.student if row.student is not None else plan.make("student"))
    if isinstance(network, Network):
        network.build(frame.shape, frame.task.outputs)
    return network


def parameter_bytes(network: nn.Module) -> tuple[int, int]:
    """Number of parameters, and bytes of parameters and buffers."""
    count = sum(parameter.numel() for parameter in network.parameters())
    tensors = [*network.parameters(), *network.buffers()]
    return count, sum(tensor.numel() * tensor.element_size() for tensor in tensors)
