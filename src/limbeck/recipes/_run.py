"""Carrying out a recipe: the stages in order, each skipped where its files are there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from limbeck.core import UsageError, did_you_mean
from limbeck.recipes._console import Console
from limbeck.recipes._context import Context, open_context
from limbeck.recipes._folder import claim, locked
from limbeck.recipes._gap_stage import gap_stage
from limbeck.recipes._load import load_plans
from limbeck.recipes._plan import Plan
from limbeck.recipes._proof_stages import evaluation_stage, report_stage
from limbeck.recipes._training_stages import knowledge_stage, student_stage, teacher_stage

__all__ = ["STAGES", "run_recipe"]

STAGES: dict[str, Callable[[Context], None]] = {
    "teacher": teacher_stage,
    "gap": gap_stage,
    "knowledge": knowledge_stage,
    "student": student_stage,
    "evaluation": evaluation_stage,
    "report": report_stage,
}
"""The path, in its order."""


_OWN_FILES = (
    "recipe.yaml",
    "environment.json",
    "choices.json",
    "domains.json",
    "preprocessing.json",
    "openings.jsonl",
    "gap.json",
    "results.json",
    "embedding.json",
    "report.html",
)


def run_recipe(
    reference: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    runs: Path = Path("runs"),
    name: str | None = None,
    stages: Sequence[str] | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> list[Path]:
    """Carry out a recipe (a shipped name, a file, or a mapping); returns a run folder for each cell of its matrix.

    stages: a part of the path, such as ["teacher", "knowledge"]; a later call goes on from there.
    fresh: remove what an earlier run left in the folder. Everything that was done before and is
    still valid is read, not done again.
    """
    wanted = _checked_stages(stages)
    plans = load_plans(reference, overrides)
    top = runs / (name or plans[0].name)
    console = Console(quiet)
    folders = []
    for plan in plans:
        folder = top if plan.cell is None else top / plan.cell
        if plan.cell is not None:
            console.say(f"{plan.name}, {plan.cell}")
        _run_plan(plan, folder, wanted, fresh, console)
        folders.append(folder)
    if plans[0].cell is not None and "report" in wanted:
        from limbeck.reports import write_overview

        write_overview(top, [str(plan.cell) for plan in plans])
    return folders


def _checked_stages(stages: Sequence[str] | None) -> list[str]:
    for stage in stages or ():
        if stage not in STAGES:
            raise UsageError(f"There is no stage {stage!r}. {did_you_mean(stage, STAGES)}")
    return [stage for stage in STAGES if stages is None or stage in stages]


def _run_plan(plan: Plan, folder: Path, stages: Sequence[str], fresh: bool, console: Console) -> None:
    with locked(folder):
        if fresh:
            _clear(folder)
        claim(folder, plan.dump())
        context = open_context(plan, folder, console)
        for note in (*context.source.notes, *context.target.notes):
            console.say(note)
        for stage in stages:
            STAGES[stage](context)


def _clear(folder: Path) -> None:
    """Remove a run's own files; anything else in the folder stays."""
    for name in ("teachers", "knowledge", "students"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in _OWN_FILES:
        (folder / name).unlink(missing_ok=True)
