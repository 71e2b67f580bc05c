"""What must fit together, told before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from limbeck.core import UsageError, did_you_mean
from limbeck.evaluation import VALIDATORS
from limbeck.methods import Method
from limbeck.objectives import Objective, Term
from limbeck.recipes._nodes import KnownFaultError, Node, ObjectNode, ValueNode
from limbeck.recipes._plan import Plan
from limbeck.recipes._schema import Faults, parse
from limbeck.teachers import Teacher
from limbeck.training import Training

__all__ = ["check_name", "check_plan", "objectives_of"]

_NO_FILE_NAME = re.compile(r'^$|^[\s.]|\s$|[/\\:*?"<>|\x00-\x1f]')


def check_name(name: str, what: str) -> None:
    """`UsageError` where a name cannot be that of a folder."""
    if _NO_FILE_NAME.search(name):
        raise UsageError(
            f"The name of {what} becomes a folder: it must have a letter first and none of / \\ : * ? \" < > |. "
            f"Got {name!r}."
        )


def check_plan(plan: Plan, faults: Faults) -> None:
    """Add every fault between the parts of a plan: capabilities, starts, names, constructors."""
    _check_names(plan, faults)
    for key in ("source", "target", "student", "gap", "trackers"):
        _made(plan.tree.settings[key], faults)
    split = _made(plan.tree.settings["split"], faults)
    teachers = {name: _check_teacher(plan, name, faults) for name in plan.teachers}
    check = _Rows(plan, faults, teachers, labelled=None if split is None else split.labelled)
    for name in plan.teachers:
        check.labelled_needs(f"teachers.{name}", _method(plan.teachers[name]))
    for name, row in plan.rows.items():
        check.row(name, row)
    _check_baseline(plan, faults)
    if plan.rows and isinstance(plan.tree.settings["seeds"], ValueNode) and len(set(plan.seeds)) != len(plan.seeds or "?"):
        got = plan.value("seeds")
        faults.add("seeds", f"The 'seeds' must be a number of them, or a list of different ones. Got {got!r}.")
    _check_validators(plan, faults)


def objectives_of(method: Method) -> list[Objective]:
    """The objectives inside a method."""
    return [module for module in method.modules() if isinstance(module, Objective)]
