"""The stages that prove and show: evaluation, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import limbeck
from limbeck.core import Opening, Spec, UsageError, some_of
from limbeck.core.files import read_json, write_json
from limbeck.core.weights import read_weights
from limbeck.evaluation import (
    History,
    Reads,
    RowRecord,
    SeedRecord,
    Study,
    assemble,
    check_results,
    chosen_row,
    embed,
)
from limbeck.methods import DEFAULT, Method
from limbeck.networks import Observed
from limbeck.recipes._compression_stage import chain_records
from limbeck.recipes._context import Context
from limbeck.recipes._export_stage import FOLDER
from limbeck.recipes._folder import command_line
from limbeck.recipes._keys import OPEN, Row, TeacherPlan
from limbeck.recipes._networks import parameter_bytes
from limbeck.recipes._rooms import parts_of
from limbeck.recipes._teachers import answers_of, ready_teacher, teacher_folder, teacher_is_ready
from limbeck.recipes._training_stages import EMBEDDED, milliseconds_per_sample, student_folder, validator_of
from limbeck.teachers import Teacher

__all__ = ["evaluation_stage", "report_stage", "student_record", "study_of"]

SHOWN = ("*.json", f"{FOLDER}/export.json")
"""What the report reads."""


def evaluation_stage(context: Context) -> None:
    """Open the target's test and selection labels, once, and write results.json and embedding.json."""
    path = context.folder / "results.json"
    if path.exists():
        return
    _check_trained(context)
    plan = context.plan
    rows = [student_record(context, name) for name in plan.rows]
    rows = [*(_teacher_record(context, name) for name in plan.teachers), *rows]
    compressions = chain_records(context)
    study = replace(study_of(context, rows, plan.baseline), choice=context.known(OPEN), compressions=compressions)
    results = assemble(study)
    check_results(results)
    write_json(context.folder / "embedding.json", _embedding(context, results, study.test_labels))
    write_json(path, results)


def study_of(context: Context, rows: Sequence[RowRecord], baseline: str, purpose: str = "evaluation") -> Study:
    """These rows with the labels of the test and selection splits, which are opened for this purpose."""
    target, plan = context.target, context.plan
    known = target.labelled
    test = target.open("test", purpose) if known else None
    selection = target.open("selection", "regret, after the end") if known else None
    return Study(
        name=plan.name if plan.cell is None else f"{plan.name}/{plan.cell}",
        command=command_line(),
        version=limbeck.__version__,
        task=context.task,
        source_name=context.source.name,
        target_name=target.name,
        labelled_per_class=plan.make("split").labelled,
        rows=rows,
        baseline=baseline,
        validator=validator_of(context, None),
        test_labels=test,
        source_test_labels=context.source.open("test", purpose),
        selection_labels=selection,
        openings=_openings(context.folder),
    )


def _check_trained(context: Context) -> None:
    for seed in context.plan.seeds:
        for name in context.plan.rows:
            if not (student_folder(context, name, seed) / "predictions.npz").exists():
                raise UsageError(f"Row {name!r}, seed {seed} is not trained yet: run the stage student first.")
        for name in context.plan.teachers:
            if not teacher_is_ready(context, name, seed):
                raise UsageError(f"The teacher {name!r}, seed {seed} is not trained yet: run the stage teacher first.")


def _openings(folder: Path) -> list[Opening]:
    path = folder / "openings.jsonl"
    return (
        [Opening(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def student_record(context: Context, name: str) -> RowRecord:
    """What the evaluation reads of a trained row."""
    row: Row = context.plan.rows[name].make()
    folders = [student_folder(context, name, seed) for seed in context.plan.seeds]
    kept = np.load(folders[0] / "predictions.npz")
    return RowRecord(
        name=name,
        kind="upper_bound" if "target_labels" in row.method.requires() else "student",
        title=row.title or name.replace("_", " "),
        method=type(row.method).__module__.rpartition(".")[2],
        labelled_per_class=_labels_behind(context, name),
        parameters=int(kept["parameters"]),
        bytes=int(kept["bytes"]),
        milliseconds_per_sample=round(float(kept["milliseconds"]), 4),
        seeds=[
            _seed_record(seed, folder, validator_of(context, row.validator, row.method))
            for seed, folder in zip(context.plan.seeds, folders, strict=True)
        ],
        reads=_reads(context, name, row, folders[0]),
    )


def _reads(context: Context, name: str, row: Row, folder: Path) -> Reads:
    """What a row's training read, by what its method declares, which is all that it was given."""
    _, about = read_weights(folder / "weights.safetensors")
    taught = bool(row.method.knowledge_streams())
    return Reads(
        training=list(row.method.reads()),
        selection=_selected_on(row.method),
        start=row.start,
        teacher=context.plan.teacher_of(name) if taught else None,
        knowledge=row.method.crossing(Spec(**about["knowledge"])),
    )


def _selected_on(method: Method) -> list[str]:
    return ["target"] if method.source_free else ["source", "target"]


def _labels_behind(context: Context, name: str) -> int:
    """The labelled target samples per class that a row or teacher has seen, or what it starts from or is taught by."""
    plan = context.plan
    if name in plan.teachers:
        made: TeacherPlan = plan.teachers[name].make()
        used = made.method is not None and "labelled" in made.method.reads()
        return plan.make("split").labelled if used else 0
    row: Row = plan.rows[name].make()
    if "labelled" in row.method.reads():
        return plan.make("split").labelled
    before = {row.start, plan.teacher_of(name) if row.method.knowledge_streams() else None} - {None}
    return max((_labels_behind(context, str(other)) for other in before), default=0)


def _seed_record(seed: int, folder: Path, validator: str) -> SeedRecord:
    done = read_json(folder / "done.json")
    kept, history = np.load(folder / "predictions.npz"), np.load(folder / "history.npz")
    scores = history[f"validator/{validator}"]
    told = {name.partition("/")[2]: history[name].tolist() for name in history if name.startswith("diagnostics/")}
    logits = torch.from_numpy(history["target_logits"])
    return SeedRecord(
        seed=seed,
        epoch=done["epoch"],
        validators=done["validators"],
        train_seconds=done["seconds"],
        history=History(history["epochs"].tolist(), scores.tolist(), logits, told),
        target_logits=torch.from_numpy(kept["target_logits"]),
        source_logits=torch.from_numpy(kept["source_logits"]),
        collapse=done["collapse"],
    )


def _teacher_record(context: Context, name: str) -> RowRecord:
    plan = context.plan
    made: TeacherPlan = plan.teachers[name].make()
    method = made.method or parts_of(Method)[DEFAULT]()
    teacher = ready_teacher(context, name, plan.seeds[0])
    body = teacher.body()
    parameters, size = parameter_bytes(body) if body is not None else (None, None)
    speed = None
    if body is not None:
        speed = round(milliseconds_per_sample(Observed(body), teacher.inputs(context.target)), 4)
    return RowRecord(
        name=name,
        kind="teacher",
        title=made.title or name.replace("_", " "),
        method=type(method).__module__.rpartition(".")[2],
        labelled_per_class=_labels_behind(context, name),
        parameters=parameters,
        bytes=size,
        milliseconds_per_sample=speed,
        seeds=[_teacher_seed(context, name, seed) for seed in plan.seeds],
        reads=_teacher_reads(teacher, method),
    )


def _teacher_reads(teacher: Teacher, method: Method) -> Reads | None:
    if teacher.learns():
        return Reads(["source"], [])
    return None if teacher.trainable() is None else Reads(list(method.reads()), _selected_on(method))


def _teacher_seed(context: Context, name: str, seed: int) -> SeedRecord:
    teacher = ready_teacher(context, name, seed)
    source, target = context.source, context.target
    path = teacher_folder(context, name, seed) / "done.json"
    loaded: dict[str, Any] = {"epoch": None, "validators": {}, "seconds": 0.0, "collapse": None}
    done: dict[str, Any] = read_json(path) if path.exists() else loaded
    return SeedRecord(
        seed=seed,
        epoch=done["epoch"],
        validators=done["validators"],
        train_seconds=done["seconds"],
        history=None,
        target_logits=answers_of(teacher, target),
        source_logits=answers_of(teacher, source),
        collapse=done["collapse"],
    )


def _embedding(context: Context, results: dict[str, Any], test: torch.Tensor | None) -> dict[str, Any]:
    """Both domains in the inputs, in the baseline's features, and in those of the row chosen without labels."""
    source, target, seed = context.source, context.target, context.plan.seeds[0]
    spaces = [("inputs", source.split_inputs("test", EMBEDDED), target.split_inputs("test", EMBEDDED))]
    titles = {row["name"]: row["title"] for row in results["rows"]}
    for name in dict.fromkeys([context.plan.baseline, chosen_row(results) or context.plan.baseline]):
        kept = np.load(student_folder(context, name, seed) / "predictions.npz")
        spaces.append(
            (titles[name], torch.from_numpy(kept["source_features"]), torch.from_numpy(kept["target_features"]))
        )
    classes = context.task.is_classification
    return embed(
        [(title, near.flatten(1), far.flatten(1)) for title, near, far in spaces],
        _pictured(source.open("test", "picture")) if classes else None,
        _pictured(test) if classes and test is not None else None,
        seed=seed,
    )


def _pictured(labels: torch.Tensor) -> torch.Tensor:
    return labels[some_of(len(labels), EMBEDDED)]


def report_stage(context: Context) -> None:
    """Write report.html from the folder, where what it shows has changed since it was written."""
    page = context.folder / "report.html"
    shown = [path.stat().st_mtime_ns for pattern in SHOWN for path in context.folder.glob(pattern)]
    if page.exists() and page.stat().st_mtime_ns >= max(shown):
        return
    context.console.say("writing the report")
    from limbeck.reports import write_report  # matplotlib, which a check does not need

    write_report(context.folder)
