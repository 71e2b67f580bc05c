"""What must fit together, told before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from limbeck.core import UsageError, did_you_mean
from limbeck.evaluation import ALL_VALIDATORS, VALIDATORS
from limbeck.methods import Method
from limbeck.recipes._check_steps import check_steps
from limbeck.recipes._keys import Row, TeacherPlan
from limbeck.recipes._nodes import FaultyNode, KnownFaultError, Node, ObjectNode
from limbeck.recipes._plan import Plan, objectives_of
from limbeck.recipes._schema import Faults, parse
from limbeck.training import Training

__all__ = ["ON_SOURCE", "ON_TARGET", "check_name", "check_plan"]

ON_SOURCE = "source_validation"
"""The validator that reads the source, which a source-free row may not."""

ON_TARGET = "target_validation"
"""The metric by the target's labels: what chooses the checkpoint of an upper bound, and of nothing else."""

_UNFIT = re.compile(r'^$|^[\s.]|\s$|[/\\:*?"<>|\x00-\x1f]')


def check_name(name: str, what: str) -> None:
    """`UsageError` where a name cannot be that of a folder."""
    if _UNFIT.search(name):
        raise UsageError(
            f"The name of {what} becomes a folder, so it begins with no dot or space and has none of "
            f'/ \\ : * ? " < > |. Got {name!r}.'
        )


def check_plan(plan: Plan, faults: Faults) -> None:
    """Add every fault between the parts of a plan: capabilities, starts, names, constructors."""
    _check_names(plan, faults)
    for key in ("source", "target", "student", "gap", "trackers"):
        _made(plan.tree.settings[key], faults)
    split = _made(plan.tree.settings["split"], faults)
    teachers = {name: _made(node, faults) for name, node in plan.teachers.items()}
    rows = {name: _made(node, faults) for name, node in plan.rows.items()}
    for name, teacher in teachers.items():
        _check_members(plan, name, teacher, teachers, faults)
        _check_training(plan.teachers[name], faults)
        _check_learning(name, teacher, faults)
        if teacher is not None and teacher.method is not None:
            _check_own_method(f"teachers.{name}", teacher.method, faults)
            _check_labelled(f"teachers.{name}", teacher.method, split, faults)
    for name, row in rows.items():
        _check_training(plan.rows[name], faults)
        _check_start(plan, name, row, faults)
        if row is not None:
            _check_taught(plan, name, row, teachers, faults)
            _check_views(plan, name, row, faults)
            _check_labelled(f"rows.{name}", row.method, split, faults)
            check_steps(plan, name, row, faults)
    _check_comparison(plan, rows, faults)
    _check_search(plan, faults)
    _check_validators(plan, rows, faults)


def _made(node: Node, faults: Faults) -> Any:
    """What the node makes; None where it cannot, with the fault unless it is known."""
    return _tried(node.make, faults)


def _tried(make: Callable[[], Any], faults: Faults) -> Any:
    try:
        return make()
    except KnownFaultError:
        return None
    except UsageError as error:
        faults.append(str(error))
        return None


def _check_names(plan: Plan, faults: Faults) -> None:
    names = [("the run", plan.name), *(("a row", name) for name in plan.names("rows"))]
    names += [("a teacher", name) for name in plan.names("teachers")]
    names += [("a cell", plan.cell)] if plan.cell is not None else []
    for what, name in names:
        try:
            check_name(name, what)
        except UsageError as error:
            faults.append(str(error))
    for name in sorted(plan.rows.keys() & plan.teachers.keys()):
        faults.add(f"rows.{name}", "A row and a teacher cannot have the same name.")


def _check_members(
    plan: Plan, name: str, teacher: TeacherPlan | None, teachers: Mapping[str, TeacherPlan | None], faults: Faults
) -> None:
    """Who is consulted is another teacher, which consults nobody."""
    for member in teacher.teacher.consults() if teacher is not None else ():
        other = teachers.get(member)
        if member not in plan.names("teachers"):
            faults.add(f"teachers.{name}", f"There is no teacher {member!r}. {did_you_mean(member, teachers)}")
        elif other is not None and other.teacher.consults():
            faults.add(f"teachers.{name}", f"The teacher {member!r} consults others itself: name those.")


def _check_learning(name: str, teacher: TeacherPlan | None, faults: Faults) -> None:
    """What is said of a training by steps has no meaning for a teacher that learns by itself."""
    if teacher is not None and teacher.teacher.learns():
        said = {
            key: getattr(teacher, key)
            for key in ("method", "training", "validator", "augmentation", "target_augmentation")
        }
        for key in (key for key, value in said.items() if value):
            faults.add(f"teachers.{name}", f"It learns by itself, not by steps of a network: leave out {key!r}.")


def _check_own_method(path: str, method: Method, faults: Faults) -> None:
    if unmet := method.requires() - {"domains"}:
        needs = ", ".join(sorted(unmet))
        faults.add(path, f"A teacher's own method can have no needs. This one needs: {needs}.")


def _check_training(node: ObjectNode, faults: Faults) -> None:
    changes = _made(node.settings["training"], faults)
    parse(Training, dict(changes or {}), f"{node.path}.training", "training", faults)


def _check_start(plan: Plan, name: str, row: Row | None, faults: Faults) -> None:
    path, settings = f"rows.{name}", plan.rows[name].settings
    start, rows = _made(settings["start"], faults), plan.names("rows")
    earlier = [row for row in rows[: rows.index(name)] if row != plan.open_row]
    if start is None:
        if row is not None and "start" in row.method.requires():
            hint = did_you_mean("", [*earlier, *plan.teachers])
            faults.add(path, f"It goes on from a trained model: name a row above it, or a teacher, as 'start'. {hint}")
    elif start not in (*earlier, *plan.names("teachers")):
        hint = did_you_mean(start, [*earlier, *plan.teachers])
        faults.add(path, f"The 'start' of a row must be a row above it, or a teacher. Got {start!r}. {hint}")
    elif start in plan.names("teachers") and settings["student"].dump() is not None:
        faults.add(path, f"A row that starts from the teacher {start!r} has its network: leave out 'student'.")


def _check_taught(plan: Plan, name: str, row: Row, teachers: Mapping[str, TeacherPlan | None], faults: Faults) -> None:
    path, known = f"rows.{name}", plan.names("teachers")
    if row.teacher is not None and row.teacher not in known:
        faults.add(path, f"There is no teacher {row.teacher!r}. {did_you_mean(row.teacher, known)}")
        return
    if "teacher" not in row.method.requires():
        return
    if not known:
        faults.add(path, "This row learns from a teacher, and the recipe has no 'teacher'.")
        return
    teacher = teachers.get(row.teacher or known[0])
    needs = {need for objective in objectives_of(row.method) for need in objective.needs & {"logits", "features"}}
    needs |= {"features"} if row.method.knowledge_layers() else set()
    if teacher is not None and needs - teacher.teacher.provides:
        faults.add(
            path,
            f"This row needs the teacher's {' and '.join(sorted(needs - teacher.teacher.provides))}, and the teacher "
            f"gives only {' and '.join(sorted(teacher.teacher.provides))}.",
        )


def _check_views(plan: Plan, name: str, row: Row, faults: Faults) -> None:
    """What is augmented and taught must be what the teacher saw."""
    node, settings = plan.rows[name], _made(plan.tree.settings["knowledge"], faults)
    shown = {domain: _tried(partial(plan.augmentation, node, domain), faults) or () for domain in ("source", "target")}
    taught = {"source" if stream == "source" else "target" for stream in row.method.knowledge_streams()}
    parts = [part for domain in sorted(taught) for part in shown[domain]]
    if settings is None or settings.read == "live" or not parts:
        return
    mixing = [type(part).__module__.rpartition(".")[2] for part in parts if part.mixes]
    if mixing:
        faults.add(
            f"rows.{name}",
            f"No store can replay {mixing[0]}, which combines samples of a batch: set 'knowledge.read' to live, or "
            "leave it out.",
        )
    elif settings.views is None:
        faults.add(
            f"rows.{name}",
            "It learns from a teacher on augmented samples, so the teacher must see the same views: set "
            "'knowledge.views' to how many of each sample are stored, or 'knowledge.read' to live.",
        )


def _check_labelled(path: str, method: Method, split: Any, faults: Faults) -> None:
    if split is not None and split.labelled == 0 and "labelled" in method.reads():
        faults.add(
            path,
            "It learns from labelled target samples: set 'split.labelled' to how many per class you have. Got 0.",
        )


def _check_comparison(plan: Plan, rows: Mapping[str, Row | None], faults: Faults) -> None:
    names = plan.names("rows")
    if names and plan.baseline not in names:
        faults.add("baseline", f"There is no row {plan.baseline!r}. {did_you_mean(plan.baseline, names)}")
    if plan.baseline and plan.baseline in (plan.open_row, plan.decided):
        faults.add("baseline", f"The row {plan.baseline!r} is still to be chosen: name another as 'baseline'.")
    baseline = rows.get(plan.baseline)
    if plan.open_row is not None and baseline is not None and baseline.start in names:
        faults.add("baseline", f"A contest trains the baseline by itself, and {plan.baseline!r} has a 'start'.")
    auto = _made(plan.tree.settings["auto"], faults) if plan.open_row is not None else None
    if auto is not None and auto.source_free and baseline is not None and not baseline.method.source_free:
        faults.add(
            "baseline",
            f"The baseline takes part in the contest, which by 'auto.source_free' may read no sample of the source, "
            f"and {plan.baseline!r} does: name a row of dine as 'baseline'.",
        )
    if baseline is not None and "target_labels" in baseline.method.requires():
        faults.add(
            "baseline",
            f"The others cannot be measured against {plan.baseline!r}, which reads the target's labels: name another "
            "row as 'baseline'.",
        )
    seeds = plan.seeds
    if not isinstance(plan.tree.settings["seeds"], FaultyNode) and (not seeds or len(set(seeds)) < len(seeds)):
        got = plan.value("seeds")
        faults.add("seeds", f"The 'seeds' of a recipe must be how many, or a list of different ones. Got {got!r}.")


def _check_search(plan: Plan, faults: Faults) -> None:
    search, names = _made(plan.tree.settings["search"], faults), plan.names("rows")
    if search is not None and search.row not in (None, *names):
        faults.add("search.row", f"There is no row {search.row!r}. {did_you_mean(search.row, names)}")
    if search is not None and search.validator not in (None, *VALIDATORS):
        known = did_you_mean(search.validator, VALIDATORS)
        faults.add("search.validator", f"There is no validator {search.validator!r}. {known}")


def _check_validators(plan: Plan, rows: Mapping[str, Row | None], faults: Faults) -> None:
    chosen = {"validator": plan.value("validator")}
    blind = {name for name, validator in ALL_VALIDATORS.items() if not validator.reads_source}
    for name, row in rows.items():
        by = row and (row.validator or chosen["validator"])
        if row is not None and row.method.source_free and by in ALL_VALIDATORS.keys() - blind:
            faults.add(
                f"rows.{name}",
                f"It may see no sample of the source, which {by} reads: set its 'validator' to one of the target "
                f"alone, such as {', '.join(sorted(blind & VALIDATORS.keys()))}.",
            )
    for node in (*plan.teachers.values(), *plan.rows.values()):
        chosen[f"{node.path}.validator"] = _made(node.settings["validator"], faults)
    for path, validator in chosen.items():
        if validator is not None and validator not in ALL_VALIDATORS:
            faults.add(path, f"There is no validator {validator!r}. {did_you_mean(validator, ALL_VALIDATORS)}")
