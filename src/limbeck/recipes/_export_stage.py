"""From a run to a folder that works without it: the stage `export`, and `limbeck export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from limbeck.core import UsageError, bad_value, some_of
from limbeck.core.tables import pd
from limbeck.data import take
from limbeck.export import DEFAULT, Export, Product, is_export, read_manifest, write_export
from limbeck.recipes._compressed import After, compressed_student
from limbeck.recipes._console import Console
from limbeck.recipes._context import Context, check_same_data, open_context
from limbeck.recipes._folder import locked
from limbeck.recipes._load import load_learner, load_plans
from limbeck.recipes._predict import Student, load_student, row_told
from limbeck.recipes._rooms import part_class, room_of

__all__ = ["FOLDER", "export_run", "export_stage"]

FOLDER = "export"
"""Where the exported student lies in a run folder, unless another folder is named."""
COMPARED = 256
"""On so many real samples the exported file is compared with the student."""


def export_stage(context: Context) -> None:
    """Export the chosen row's student of the first seed, compressed where it is, where it is not there yet."""
    forms: Sequence[Export] = context.plan.make("export")
    if not forms:
        return
    student = load_student(context.folder, plan=context.plan)
    after = compressed_student(context.folder, student, context.plan)
    folder = context.folder / FOLDER
    if is_export(folder) and _is_of(student, after, forms, folder):
        return
    context.console.say(f"exporting seed {student.seed} of {row_told(context.folder, student.row)}")
    write_export(folder, _product(context.folder, student, after, _real_samples(context)), forms, context.folder)


def _is_of(student: Student, after: After, forms: Sequence[Export], folder: Path) -> bool:
    manifest = read_manifest(folder)
    found = [manifest.get(key) for key in ("row", "seed", "step")]
    files = [model["file"] for model in manifest["models"]]
    return [*found, files] == [student.row, student.seed, after.step, [form.file for form in forms]]


def _product(run: Path, student: Student, after: After, samples: pd.DataFrame | np.ndarray) -> Product:
    about = {"name": run.name, "row": student.row, "seed": student.seed, "step": after.step}
    return Product(after.network, student.preprocessing, student.task, samples, about, after.file)


def _real_samples(context: Context) -> pd.DataFrame | np.ndarray:
    """Raw inputs of the target's test split; no label is looked at."""
    rows = context.target.splits["test"]
    return _in_memory(take(context.target.raw, rows[some_of(len(rows), COMPARED)]))


def _in_memory(inputs: object) -> pd.DataFrame | np.ndarray:
    return inputs if isinstance(inputs, pd.DataFrame | np.ndarray) else inputs[:]  # type: ignore[index]


def export_run(
    run: Path,
    row: str | None = None,
    seed: int | None = None,
    formats: Sequence[str] | None = None,
    out: Path | None = None,
    samples: Path | None = None,
    step: int | None = None,
) -> Path:
    """Export a run's student and compare each file with it; returns the folder, by default `export` in the run's.

    row, seed: by default the row chosen without target labels and the first seed. formats: parts of the room export,
    by default that of the student's own file, ONNX where it has none. samples: a file of real inputs to compare on,
    by default those of the target's test split, for which the run's data are read again. step: after so many steps
    of the row's compression, by default all; 0 is the student as it was trained. An earlier export in the folder is
    replaced when all is well.
    """
    student = load_student(run, row, seed)
    after = compressed_student(run, student, load_learner(run, student.row), step)
    forms = _forms(after, formats)
    with locked(run):
        raw = _samples_of(run) if samples is None else _in_memory(student.preprocessing.read(samples))
        folder = out or run / FOLDER
        write_export(folder, _product(run, student, after, raw[:COMPARED]), forms, run)
    return folder


def _forms(after: After, formats: Sequence[str] | None) -> list[Export]:
    """The formats by their names; `UsageError` where the student is a file of another."""
    if formats is None and after.form is not None:
        return [after.form]
    room = room_of(Export)
    assert room is not None
    forms: list[Export] = [part_class(room, name)() for name in dict.fromkeys(formats or [DEFAULT])]
    if formats is not None and not formats:
        raise bad_value("format", "export", "one or more of the room export", list(formats))
    for form in forms:
        if after.form is not None and form.file != after.form.file:
            raise UsageError(
                f"After step {after.step} the student is the file {after.form.file}, so {form.file} cannot be made of "
                f"it: leave out --format, or take an earlier step, such as --step {after.step - 1}."
            )
    return forms


def _samples_of(run: Path) -> pd.DataFrame | np.ndarray:
    try:
        (plan,) = load_plans(run)
        context = open_context(plan, run, Console(quiet=True))
        check_same_data(context)
    except UsageError as error:
        raise UsageError(f"{error}\nThe export is compared on the run's data: --samples FILE names others.") from error
    return _real_samples(context)
