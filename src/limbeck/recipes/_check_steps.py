"""What the steps of a row's compression must be, told before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from limbeck.core import UsageError, did_you_mean
from limbeck.export import Export
from limbeck.recipes._keys import ITSELF, Row, Step
from limbeck.recipes._plan import Plan
from limbeck.recipes._schema import Faults, parse
from limbeck.training import Training

__all__ = ["check_steps"]


def check_steps(plan: Plan, name: str, row: Row, faults: Faults) -> None:
    """Add every fault of a row's steps: their order, teachers, methods and training."""
    exported = _exported(plan)
    for place, step in enumerate(row.compress):
        path = f"rows.{name}.compress[{place}]"
        parse(Training, dict(step.training), f"{path}.training", "training", faults)
        form = step.step.form
        if form is not None and place < len(row.compress) - 1:
            faults.add(path, f"After it the student is the file {form.file}: make it the last step.")
        elif form is not None and any(other.file != form.file for other in exported):
            faults.add(path, f"After it the student is the file {form.file}: let 'export' name its format alone.")
        known = [*plan.names("teachers"), ITSELF]
        if step.teacher is not None and step.teacher not in known:
            faults.add(path, f"There is no teacher {step.teacher!r}. {did_you_mean(step.teacher, known)}")
        _check_method(path, step, faults)


def _check_method(path: str, step: Step, faults: Faults) -> None:
    if not step.step.tuned and (step.training or step.method is not None or step.teacher is not None):
        faults.add(path, "It is not fine-tuned: leave out 'training', 'method' and 'teacher'.")
    if step.method is None:
        return
    if step.method.closed_form:
        faults.add(path, "A step is fine-tuned in small steps, and its 'method' is solved at once: name another.")
    unmet = sorted(step.method.requires() - {"teacher", "start"})
    if unmet:
        faults.add(path, f"The 'method' of a step may need a teacher and no more. This one needs: {', '.join(unmet)}.")


def _exported(plan: Plan) -> Sequence[Export]:
    """The formats that the recipe exports; none where they are at fault, which is told elsewhere."""
    try:
        forms: Sequence[Export] = plan.make("export")
    except UsageError:
        return ()
    return forms
