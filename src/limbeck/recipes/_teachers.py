"""Teachers of a run: where they lie, whether they are ready, and the teacher itself."""

from __future__ import annotations

from pathlib import Path

from limbeck.recipes._context import Context
from limbeck.recipes._networks import built_teacher
from limbeck.teachers import Teacher

__all__ = ["ready_teacher", "teacher_folder", "teacher_is_ready"]


def teacher_folder(context: Context, name: str, seed: int) -> Path:
    return context.folder / "teachers" / name / str(seed)


def teacher_is_ready(context: Context, name: str, seed: int) -> bool:
    """Whether a teacher is trained for this seed, or loaded from a file."""
    if (teacher_folder(context, name, seed) / "done.json").exists():
        return True
    return built_teacher(context.plan, name, seed, context.frame).trainable() is None


def ready_teacher(context: Context, name: str, seed: int) -> Teacher:
    """A teacher of a seed as it was trained or loaded."""
    trained = teacher_folder(context, name, seed) / "weights.safetensors"
    weights = trained if trained.exists() else None
    return built_teacher(context.plan, name, seed, context.frame, weights)
