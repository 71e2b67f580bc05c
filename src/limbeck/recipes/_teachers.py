"""Teachers of a run: where they lie, whether they are ready, and the teacher itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limbeck.core import Domain, stream_seed
from limbeck.core.files import write_json
from limbeck.recipes._context import Context
from limbeck.recipes._keys import TeacherPlan
from limbeck.recipes._networks import built_teacher
from limbeck.teachers import Teacher

__all__ = ["answers_of", "fit_teacher", "ready_teacher", "teacher_folder", "teacher_is_ready"]

LABELLED_AT_ONCE = 512


def teacher_folder(context: Context, name: str, seed: int) -> Path:
    return context.folder / "teachers" / name / str(seed)


def teacher_is_ready(context: Context, name: str, seed: int) -> bool:
    """Whether a teacher is trained for this seed, or loaded from a file."""
    if (teacher_folder(context, name, seed) / "done.json").exists():
        return True
    teacher: Teacher = context.plan.teachers[name].make().teacher
    if teacher.learns() or teacher.trainable() is not None:
        return False
    return all(teacher_is_ready(context, member, seed) for member in teacher.consults())


def ready_teacher(context: Context, name: str, seed: int) -> Teacher:
    """A teacher of a seed as it was trained or loaded; one that learns by itself does so once in a process."""
    if (name, seed) in context.fitted:
        return context.fitted[name, seed]
    trained = teacher_folder(context, name, seed) / "weights.safetensors"
    weights = trained if trained.exists() else None
    made: TeacherPlan = context.plan.teachers[name].make()
    members = {member: ready_teacher(context, member, seed) for member in made.teacher.consults()}
    teacher = built_teacher(context.plan, name, seed, context.frame, weights, members)
    if teacher.learns():
        teacher.fit(context.source.of(made.source).view(), stream_seed(seed, "teacher", name))
        context.fitted[name, seed] = teacher
    return teacher


def fit_teacher(context: Context, name: str, seed: int) -> dict[str, Any]:
    """Let a teacher learn that does so by itself; its `done.json`, which stands for all later processes."""
    start = time.monotonic()
    ready_teacher(context, name, seed)
    seconds = round(time.monotonic() - start, 3)
    done: dict[str, Any] = {"epoch": None, "steps": 0, "seconds": seconds, "validators": {}, "collapse": None}
    write_json(teacher_folder(context, name, seed) / "done.json", done)
    return done


def answers_of(teacher: Teacher, domain: Domain) -> Tensor:
    """What a teacher says of a test split, batch by batch."""
    inputs, rows = teacher.inputs(domain), torch.from_numpy(domain.splits["test"])
    return torch.cat([teacher.label(inputs[part]).scores() for part in rows.split(LABELLED_AT_ONCE)])
