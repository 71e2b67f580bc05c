"""A row's compressed student: its steps, where they lie, and the student after one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from limbeck.compression import with_changes
from limbeck.core import UsageError
from limbeck.core.weights import load_weights, read_weights
from limbeck.export import Export
from limbeck.recipes._keys import Row, Step
from limbeck.recipes._plan import Plan
from limbeck.recipes._predict import Student

__all__ = ["After", "compressed_folder", "compressed_student", "load_compressed", "step_folders", "steps_of"]


def steps_of(plan: Plan, name: str) -> list[Step]:
    """The steps of a row's compression."""
    row: Row = plan.rows[name].make()
    return list(row.compress)


def compressed_folder(student: Path) -> Path:
    """Where the steps of a student lie, in its own folder."""
    return student / "compressed"


def step_folders(plan: Plan, name: str) -> list[str]:
    """The folders of a row's steps, in their order."""
    parts = [type(step.step).__module__.rpartition(".")[2] for step in steps_of(plan, name)]
    return [f"{number}-{part}" for number, part in enumerate(parts, start=1)]


@dataclass(frozen=True)
class After:
    """A student after some of its row's steps.

    step: how many, 0 for the student as it was trained. network: what it is compared with. form, file: of the file
    that it has become, None where it is a network still.
    """

    step: int
    network: nn.Module
    form: Export | None = None
    file: Path | None = None


def compressed_student(run: Path, student: Student, plan: Plan, step: int | None = None) -> After:
    """A run's student after `step` of its row's steps, by default all of them; `UsageError` where there are fewer."""
    network = student.network.network
    steps, folders = steps_of(plan, student.row), step_folders(plan, student.row)
    step = len(steps) if step is None else step
    if not 0 <= step <= len(steps):
        known = ", ".join(folders) or "none"
        raise UsageError(f"Row {student.row!r} has {len(steps)} steps of compression ({known}). Got {step}.")
    if step == 0:
        return After(0, network)
    last = steps[step - 1].step
    folder = compressed_folder(run / "students" / student.row / str(student.seed)) / folders[step - 1]
    if not (folder / "costs.json").exists():
        raise UsageError(
            f"Row {student.row!r}, seed {student.seed} is not compressed yet: run the recipe to its end first, or take "
            "the student as it was trained (step 0)."
        )
    if last.form is not None:
        return After(step, network, last.form, folder / last.form.file)
    own = folder if last.rounds == 1 else folder / f"round-{last.rounds}"
    return After(step, load_compressed(network, own / "weights.safetensors"))


def load_compressed(student: nn.Module, weights: Path) -> nn.Module:
    """A compressed network as it was saved: the student's in its new shape, with its weights."""
    state, about = read_weights(weights)
    network = with_changes(student, about["layers"])
    load_weights(network, state, str(weights))
    return network.eval()
