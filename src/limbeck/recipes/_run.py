"""Carrying out a recipe: the stages in order, each skipped where its files are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from limbeck.core import LimbeckError, RunError, UsageError, did_you_mean
from limbeck.core.memory import freed_memory_kept
from limbeck.recipes._check import check_name
from limbeck.recipes._compression_stage import compression_stage
from limbeck.recipes._console import Console
from limbeck.recipes._contest import contest_stage, recall_choice
from limbeck.recipes._context import Context, check_same_data, open_context, remember
from limbeck.recipes._export_stage import export_stage
from limbeck.recipes._fit import check_fit
from limbeck.recipes._folder import check_owner, claim, clear, disk_faults, locked, run_folders
from limbeck.recipes._gap_stage import gap_stage
from limbeck.recipes._knowledge_stage import knowledge_stage
from limbeck.recipes._load import load_plans
from limbeck.recipes._plan import Plan
from limbeck.recipes._proof_stages import evaluation_stage, report_stage
from limbeck.recipes._training_stages import student_stage, teacher_stage

__all__ = ["STAGES", "begun", "run_recipe", "top_folder"]

STAGES: dict[str, Callable[[Context], None]] = {
    "teacher": teacher_stage,
    "gap": gap_stage,
    "contest": contest_stage,
    "knowledge": knowledge_stage,
    "student": student_stage,
    "compression": compression_stage,
    "evaluation": evaluation_stage,
    "export": export_stage,
    "report": report_stage,
}
"""The path, in its order."""

BEFORE_CHOICE = ("teacher", "gap", "contest")
"""The stages that go without knowing every row."""


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
    still valid is read, not done again. A cell of a matrix that fails does not stop the others:
    `RunError` names it when they are done.
    """
    wanted = _checked_stages(stages)
    plans = load_plans(reference, overrides)
    if name is not None:
        check_name(name, "the run")
    top, console = top_folder(reference, runs, name, plans[0]), Console(quiet)
    if plans[0].cell is None:
        _run_plan(plans[0], top, wanted, fresh, console)
        return [top]
    cells = {str(plan.cell): plan for plan in plans}
    failed: dict[str, Exception] = {}
    for cell, plan in cells.items():
        console.say(f"{plan.name}, {cell}")
        try:
            _run_plan(plan, top / cell, wanted, fresh, console)
        except Exception as error:
            failed[cell] = error
            console.say(f"{cell} failed, the others go on.")
    if "report" in wanted and len(failed) < len(cells):
        from limbeck.reports import write_overview  # matplotlib, which a check does not need

        write_overview(top, list(cells))
    if failed:
        raise _cells_failed(failed, f"{len(cells)} cells of {plans[0].name}")
    return [top / cell for cell in cells]


def top_folder(reference: str | Path | Mapping[str, Any], runs: Path, name: str | None, plan: Plan) -> Path:
    """Where a run goes: a run folder that is named as its own recipe is gone on with."""
    if name is None and not isinstance(reference, Mapping) and run_folders(Path(reference)) == [Path(reference)]:
        return Path(reference)
    return runs / (name or plan.name)


def _cells_failed(failed: Mapping[str, Exception], of: str) -> RunError:
    told = [
        f"  - {cell}: {error if isinstance(error, LimbeckError) else f'{type(error).__name__}: {error}'}"
        for cell, error in failed.items()
    ]
    summary = RunError("\n".join([f"{len(failed)} of {of} failed; the others are done:", *told]))
    summary.__cause__ = next(iter(failed.values()))
    return summary


def _checked_stages(stages: Sequence[str] | None) -> list[str]:
    for stage in stages or ():
        if stage not in STAGES:
            raise UsageError(f"There is no stage {stage!r}. {did_you_mean(stage, STAGES)}")
    return [stage for stage in STAGES if stages is None or stage in stages]


def _run_plan(plan: Plan, folder: Path, stages: Sequence[str], fresh: bool, console: Console) -> None:
    with disk_faults(folder), locked(folder), freed_memory_kept():
        context = begun(plan, folder, fresh, console)
        for stage in stages:
            if context.plan.open_row is not None and stage not in BEFORE_CHOICE:
                raise UsageError(
                    f"The method of row {context.plan.open_row!r} is not chosen yet: run the stage contest first."
                )
            STAGES[stage](context)


def begun(plan: Plan, folder: Path, fresh: bool, console: Console) -> Context:
    """The data, checked against the recipe, in a folder that is this recipe's."""
    if not fresh:
        check_owner(folder, plan.dump())
    context = open_context(plan, folder, console)
    for note in (*context.source.notes, *context.target.notes):
        console.say(note)
    check_fit(context)
    if fresh:  # only now: a mistake in the recipe or the data costs nothing that was there
        clear(folder)
    check_same_data(context)
    claim(folder, plan.dump())
    remember(context)
    recall_choice(context)
    return context
