"""Teachers of a run: where they lie, whether they are ready, and the teacher itself."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from limbeck.core import Domain
from limbeck.recipes._context import Context
from limbeck.recipes._networks import built_teacher
from limbeck.teachers import Teacher

__all__ = ["answers_of", "ready_teacher", "teacher_folder", "teacher_is_ready"]

LABELLED_AT_ONCE = 512


def teacher_folder(context: Context, name: str, seed: int) -> Path:
    return context.folder / "teachers" / name / str(seed)


def teacher_is_ready(context: Context, name: str, seed: int) -> bool:
    """Whether a teacher is trained for this seed, or loaded from a file."""
    if (teacher_folder(context, name, seed) / "done.json").exists():
        return True
    teacher = built_teacher(context.plan, name, seed, context.frame)
    return teacher.trainable() is None and all(teacher_is_ready(context, member, seed) for member in teacher.consults())


def ready_teacher(context: Context, name: str, seed: int) -> Teacher:
    """A teacher of a seed as it was trained or loaded."""
    trained = teacher_folder(context, name, seed) / "weights.safetensors"
    weights = trained if trained.exists() else None
    consulted = context.plan.teachers[name].make().teacher.consults()
    members = {member: ready_teacher(context, member, seed) for member in consulted}
    return built_teacher(context.plan, name, seed, context.frame, weights, members)


def answers_of(teacher: Teacher, domain: Domain) -> Tensor:
    """What a teacher says of a test split, batch by batch."""
    inputs, rows = teacher.inputs(domain), torch.from_numpy(domain.splits["test"])
    return torch.cat([teacher.label(inputs[part]).scores() for part in rows.split(LABELLED_AT_ONCE)])
