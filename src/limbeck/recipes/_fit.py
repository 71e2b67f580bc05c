"""Whether a plan suits its data, told before anything trains: the task, the labels, the sizes, the networks."""

from __future__ import annotations

from limbeck.core import Spec, UsageError, bad_value, did_you_mean
from limbeck.core.weights import load_weights
from limbeck.evaluation import REGRESSION_VALIDATORS
from limbeck.methods import Method
from limbeck.objectives import Objective
from limbeck.recipes._context import Context
from limbeck.recipes._fit_steps import check_steps_fit
from limbeck.recipes._keys import Row
from limbeck.recipes._networks import built_method, built_student, built_teacher, teaching_method
from limbeck.recipes._nodes import ObjectNode
from limbeck.recipes._plan import objectives_of
from limbeck.recipes._rooms import parts_of
from limbeck.recipes._schema import Faults
from limbeck.teachers import Teacher
from limbeck.training import check_device

__all__ = ["check_fit"]


def check_fit(context: Context) -> None:
    """One `UsageError` with everything between the recipe and these data that cannot work."""
    plan, faults = context.plan, Faults()
    for device in {plan.training(node).device for node in (*plan.teachers.values(), *plan.rows.values())}:
        try:
            check_device(device)
        except UsageError as error:
            faults.add("training.device", error)
    teachers = {name: _teacher(context, name, faults) for name in plan.teachers}
    methods = {name: _method(context, name, teachers, faults) for name in plan.rows}
    for name in plan.rows:
        check_steps_fit(context, name, methods[name], faults)
        _check_start(context, name, teachers, methods, faults)
    _check_validator("validator", plan.value("validator"), context, faults)
    _check_validator("search.validator", plan.make("search").validator, context, faults)
    faults.raise_any(f"{plan.name}, now that the data are known")


def _teacher(context: Context, name: str, faults: Faults) -> Teacher | None:
    """The teacher, built for these data."""
    node, path = context.plan.teachers[name], f"teachers.{name}"
    made = node.make()
    _check_validator(f"{path}.validator", made.validator, context, faults)
    _check_augmentation(path, node, context, faults)
    if made.source is not None and made.source not in context.source.sources:
        hint = did_you_mean(made.source, context.source.sources)
        faults.add(path, f"The 'source' of a teacher must be one of several sources. Got {made.source!r}. {hint}")
        return None
    if made.method is not None and not _suits_task(path, made.method, context, faults):
        return None
    try:
        teacher = built_teacher(context.plan, name, context.plan.seeds[0], context.frame)
        network = teacher.trainable()
        if network is not None:
            method = teaching_method(made, network, context.frame)
            _check_batches(path, method, context.plan.training(node).batch_size, context, faults)
            if method.evaluated.network.state_dict().keys() != network.state_dict().keys():
                faults.add(path, "A teacher's own method trains the teacher's network, and this one makes another.")
        return teacher
    except UsageError as error:
        faults.add(path, error)
        return None


def _method(context: Context, name: str, teachers: dict[str, Teacher | None], faults: Faults) -> Method | None:
    """A row's method with its student, built for these data."""
    plan, path = context.plan, f"rows.{name}"
    row: Row = plan.rows[name].make()
    _check_validator(f"{path}.validator", row.validator, context, faults)
    _check_augmentation(path, plan.rows[name], context, faults)
    suits = _suits_task(path, row.method, context, faults)
    _check_batches(path, row.method, plan.training(plan.rows[name]).batch_size, context, faults)
    if "target_labels" in row.method.requires() and not context.target.labelled:
        faults.add(path, f"It learns from all labels of {context.target.name}, which has none: leave this row out.")
    teacher = teachers.get(plan.teacher_of(name) or "")
    taught = bool(row.method.knowledge_streams())
    if not suits or (taught and teacher is None) or (row.start in teachers and teachers[row.start] is None):
        return None  # the fault is told
    knowledge = teacher.spec() if taught and teacher is not None else Spec(0)
    try:
        return built_method(plan, name, plan.seeds[0], context.frame, knowledge)
    except UsageError as error:
        faults.add(path, error)
        return None


def _suits_task(path: str, method: Method, context: Context, faults: Faults) -> bool:
    """Objectives for classes need classes; each that has none is told. And who tells domains apart needs several."""
    if "domains" in method.requires() and context.source.domains is None:
        faults.add(
            path,
            f"It tells source domains apart, and {context.source.name} is one: put several together by the data part "
            "'several'.",
        )
    if context.task.is_classification:
        return True
    unfit = [objective for objective in objectives_of(method) if "classes" in objective.needs]
    for objective in unfit:
        suited = [name for name, kind in parts_of(Objective).items() if "classes" not in kind.needs]
        faults.add(
            path,
            f"{type(objective).__module__.rpartition('.')[2]} is for classes, and the labels of "
            f"{context.source.name} are values to regress. Use one of: {', '.join(suited)}.",
        )
    return not unfit


def _check_augmentation(path: str, node: ObjectNode, context: Context, faults: Faults) -> None:
    plan = context.plan
    shown = {part.identity(): part for part in (*plan.augmentation(node), *plan.augmentation(node, "target"))}
    for part in shown.values():
        try:
            part.check(context.source.shape)
        except UsageError as error:
            faults.add(path, error)


def _check_validator(path: str, validator: str | None, context: Context, faults: Faults) -> None:
    if not context.task.is_classification and validator not in (None, *REGRESSION_VALIDATORS):
        faults.add(
            path,
            f"The validator {validator!r} reads class probabilities, and the labels of {context.source.name} are "
            f"values to regress. Use {' or '.join(sorted(REGRESSION_VALIDATORS))}.",
        )


def _check_batches(path: str, method: Method, batch_size: int, context: Context, faults: Faults) -> None:
    target = context.target.splits
    sizes = {
        "source": (context.source.name, len(context.source.splits["train"])),
        "target": (context.target.name, len(target["train"]) + len(target["labelled"])),
    }
    streams = () if method.closed_form else method.reads()
    for name, size in (sizes[stream] for stream in streams if stream in sizes):
        if batch_size > size:
            expected = f"at most {size}, the training samples of {name}"
            faults.add(path, bad_value("batch_size", "training", expected, batch_size))


def _check_start(
    context: Context,
    name: str,
    teachers: dict[str, Teacher | None],
    methods: dict[str, Method | None],
    faults: Faults,
) -> None:
    """The weights that a row starts from must fit its network."""
    row: Row = context.plan.rows[name].make()
    before = methods.get(row.start or "")
    if before is not None and methods[name] is not None:
        network = built_student(context.plan, name, context.plan.seeds[0], context.frame)
        try:
            load_weights(network, before.evaluated.network.state_dict(), f"row {row.start!r}")
        except UsageError as error:
            faults.add(f"rows.{name}", error)
    teacher = teachers.get(row.start or "")
    if teacher is not None and teacher.inputs(context.source) is not context.source.inputs:
        faults.add(
            f"rows.{name}",
            f"The teacher {row.start!r} prepares its inputs in its own way, so a student cannot start from it: train "
            "one in this run, or start from a row.",
        )
