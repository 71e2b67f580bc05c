"""What must fit together, told before anything runs."""

from __future__ import annotations

from typing import Any

from limbeck.core import UsageError, did_you_mean
from limbeck.methods import Method
from limbeck.recipes._nodes import Node, ObjectNode
from limbeck.recipes._plan import Plan
from limbeck.recipes._schema import Faults, parse
from limbeck.training import Training

__all__ = ["check_plan"]


def check_plan(plan: Plan, faults: Faults) -> None:
    """Add every fault between the parts of a plan: capabilities, starts, names, constructors."""
    before = len(faults)
    for key in ("source", "target", "student", "gap", "trackers", "split"):
        _made(plan.tree.settings[key], faults)
    teachers = {name: _check_teacher(plan, name, node, faults) for name, node in plan.teachers.items()}
    for name, row in plan.rows.items():
        _check_row(plan, name, row, teachers, faults)
    both = plan.rows.keys() & plan.teachers.keys()
    if both:
        faults.add("rows", f"A row and a teacher cannot both be called {sorted(both)[0]!r}.")
    if plan.baseline not in plan.rows:
        faults.add("baseline", f"There is no row {plan.baseline!r}. {did_you_mean(plan.baseline, plan.rows)}")
    if len(set(plan.seeds)) != len(plan.seeds) or not plan.seeds:
        faults.add(
            "seeds", f"Seeds must be a number above 0, or a list of different ones. Got {plan.value('seeds')!r}."
        )
    if len(faults) == before:
        _check_validators(plan, faults)


def _made(node: Node, faults: Faults) -> Any:
    try:
        return node.make()
    except UsageError as error:
        faults.append(str(error))
        return None


def _check_teacher(plan: Plan, name: str, node: ObjectNode, faults: Faults) -> Any:
    _check_training(node, faults)
    made = _made(node, faults)
    if made is not None and made.method is not None:
        if made.method.requires():
            needs = ", ".join(sorted(made.method.requires()))
            faults.add(f"teachers.{name}", f"A teacher's own method can have no needs. This one needs: {needs}.")
        _check_labelled(plan, f"teachers.{name}", made.method, faults)
    return None if made is None else made.teacher


def _check_row(plan: Plan, name: str, row: ObjectNode, teachers: dict[str, Any], faults: Faults) -> None:
    path = f"rows.{name}"
    _check_training(row, faults)
    made = _made(row, faults)
    if made is None:
        return
    method: Method = made.method
    needs = method.requires()
    teacher = plan.teacher_of(name)
    if made.teacher is not None and made.teacher not in teachers:
        faults.add(path, f"There is no teacher {made.teacher!r}. {did_you_mean(made.teacher, teachers)}")
    elif "teacher" in needs and teacher is None:
        faults.add(path, "This row learns from a teacher, and the recipe has no 'teacher'.")
    elif "teacher" in needs and teachers[str(teacher)] is not None:
        _check_knowledge(path, method, teachers[str(teacher)], faults)
    _check_start(plan, path, name, made.start, needs, faults)
    _check_labelled(plan, path, method, faults)


def _check_knowledge(path: str, method: Method, teacher: Any, faults: Faults) -> None:
    wanted = {"features"} if method.knowledge_layers() else set()
    lacking = wanted - teacher.provides
    if lacking:
        faults.add(
            path,
            f"This row needs the teacher's {', '.join(lacking)}, and the teacher gives only "
            f"{', '.join(sorted(teacher.provides))}.",
        )


def _check_start(plan: Plan, path: str, name: str, start: str | None, needs: frozenset[str], faults: Faults) -> None:
    earlier = list(plan.rows)[: list(plan.rows).index(name)]
    if start is None:
        if "start" in needs:
            faults.add(
                path,
                f"This row goes on from a trained model: add 'start' with a row above it, or a teacher. "
                f"{did_you_mean('', earlier)}",
            )
        return
    known = [*earlier, *plan.teachers]
    if start not in known:
        faults.add(
            path,
            f"The 'start' of a row must be a row above it, or a teacher. Got {start!r}. {did_you_mean(start, known)}",
        )


def _check_labelled(plan: Plan, path: str, method: Method, faults: Faults) -> None:
    if "labelled" in method.reads() and plan.make("split").labelled == 0:
        faults.add(
            path,
            "This row learns from labelled target samples: set 'split.labelled' to how many per class you have. Got 0.",
        )


def _check_training(node: ObjectNode, faults: Faults) -> None:
    changes = node.settings["training"].make()
    parse(Training, dict(changes), f"{node.path}.training", "training", faults)


def _check_validators(plan: Plan, faults: Faults) -> None:
    from limbeck.evaluation import VALIDATORS

    chosen = {"validator": plan.value("validator")}
    chosen |= {f"rows.{name}.validator": row.settings["validator"].make() for name, row in plan.rows.items()}
    for path, validator in chosen.items():
        if validator is not None and validator not in VALIDATORS:
            faults.add(path, f"There is no validator {validator!r}. {did_you_mean(validator, VALIDATORS)}")
