"""What a contest knows before anything is chosen."""

from __future__ import annotations

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.gap import differs
from limbeck.methods import Evidence
from limbeck.recipes._context import Context
from limbeck.recipes._keys import AutoPlan, GapPlan
from limbeck.recipes._teachers import ready_teacher, teacher_is_ready

__all__ = ["gathered"]


def gathered(context: Context, settings: AutoPlan) -> Evidence:
    """From the gap, the data and the teacher."""
    plan, path = context.plan, context.folder / "gap.json"
    if not path.exists():
        raise UsageError("The gap is not measured yet, which the contest looks at: run the stage gap first.")
    gap: GapPlan = plan.make("gap")
    name = next(iter(plan.teachers), None)
    if name is not None and not teacher_is_ready(context, name, plan.seeds[0]):
        raise UsageError(f"The teacher {name!r} is not trained yet: run the stage teacher first.")
    teacher = None if name is None else ready_teacher(context, name, plan.seeds[0])
    source, target = context.source.splits, context.target.splits
    measured = read_json(path)
    shares_alone = bool(((measured["labels"] or {}).get("beyond") or {}).get("alone"))
    return Evidence(
        kind=str(context.preprocessing.state()["kind"]),
        task=context.task,
        shape=context.source.shape,
        source=len(source["train"]),
        target=len(target["train"]) + len(target["labelled"]),
        labelled=plan.make("split").labelled,
        apart=differs(measured["distances"], gap.settings.alpha) and not shares_alone,
        teacher=name,
        provides=frozenset() if teacher is None else teacher.provides,
        copied=teacher is not None and teacher.body() is not None,
        source_free=settings.source_free,
        shares_alone=shares_alone,
    )
