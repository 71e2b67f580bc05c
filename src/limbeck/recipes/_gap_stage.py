"""The stage that measures the gap, on the inputs and on the teacher's embedding where there is a teacher."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core import FEATURES, Domain, generator, some_of
from limbeck.core.files import read_json, write_json
from limbeck.core.tables import pd
from limbeck.distances import Distance
from limbeck.gap import GapSettings, beyond_shares, differs, feature_shift, gap_summary, label_shift, measure_distances
from limbeck.recipes._context import Context
from limbeck.recipes._keys import GapPlan
from limbeck.recipes._rooms import parts_of
from limbeck.recipes._teachers import ready_teacher, teacher_is_ready
from limbeck.teachers import Teacher

__all__ = ["gap_stage"]

LABELLED = 4096
"""At most so many samples of each domain are shown to the teacher here."""


def gap_stage(context: Context) -> None:
    """Write gap.json; the target's labels are not read."""
    path = context.folder / "gap.json"
    embedding = [name for name, node in context.plan.teachers.items() if FEATURES in node.make().teacher.provides]
    name, seed = next(iter(embedding), None), context.plan.seeds[0]
    ready = name is not None and teacher_is_ready(context, name, seed)
    teacher = ready_teacher(context, name, seed) if ready and name is not None else None
    if path.exists() and not (teacher is not None and _lacks_teacher(path)):
        return
    context.console.say("measuring the gap")
    plan: GapPlan = context.plan.make("gap")
    source, target = context.source, context.target
    spaces = {"inputs": (_shown(source, plan.settings), _shown(target, plan.settings))}
    labels = None
    if teacher is not None:
        spaces["teacher"], labels = _through(teacher, context, plan.settings)
    distances = _distances(plan)
    measured = measure_distances(spaces, distances, plan.settings)
    if labels is not None:
        both = differs(measured, plan.settings.alpha) and labels["differ"]
        labels["beyond"] = _beyond(context, spaces, labels, plan) if both else None
    write_json(
        path, gap_summary(source.name, target.name, measured, _features(context, plan.settings), labels, plan.settings)
    )


def _lacks_teacher(path: Path) -> bool:
    return all(measure["space"] != "teacher" for measure in read_json(path)["distances"])


def _distances(plan: GapPlan) -> Mapping[str, Distance]:
    """The distances that the recipe names, or every one in the room that needs points alone."""
    if plan.distances:
        return {type(distance).__module__.rpartition(".")[2]: distance for distance in plan.distances}
    return {name: kind() for name, kind in parts_of(Distance).items() if not (kind.paired or kind.needs_labels)}


def _rows(domain: Domain, split: str) -> Tensor:
    """A split's rows, with the target's labelled ones among its training rows."""
    rows = torch.from_numpy(domain.splits[split])
    if domain.role == "target" and split == "train":
        rows = torch.cat([torch.from_numpy(domain.splits["labelled"]), rows])
    return rows


def _shown(domain: Domain, settings: GapSettings) -> Tensor:
    """The training rows that are measured, drawn before they are read: the others may not fit into memory."""
    rows = _rows(domain, "train")
    chosen = generator(settings.seed, "gap", "rows", domain.role).permutation(len(rows))[: settings.samples]
    return domain.inputs[rows[torch.from_numpy(np.sort(chosen))]]


def _some(values: Tensor) -> Tensor:
    """Those of a split that the teacher is shown."""
    return values[some_of(len(values), LABELLED)]


def _through(
    teacher: Teacher, context: Context, settings: GapSettings
) -> tuple[tuple[Tensor, Tensor], dict[str, Any] | None]:
    """The teacher's embedding of both domains, and the class shares that it lets one estimate."""
    source, target = context.source, context.target
    seen = teacher.inputs(source)
    held_out = teacher.label(seen[_some(_rows(source, "selection"))])  # what it was trained on looks too well known
    foreign = teacher.label(teacher.inputs(target)[_some(_rows(target, "train"))])
    embedding = (held_out.feature(FEATURES), foreign.feature(FEATURES))
    if not context.task.is_classification:
        return embedding, None
    labels = _some(source.open("selection", "gap"))
    seen, unseen = held_out.scores().softmax(1), foreign.scores().softmax(1)
    return embedding, label_shift(labels, seen, unseen, context.task.classes, settings)


def _beyond(
    context: Context, spaces: Mapping[str, tuple[Tensor, Tensor]], shares: Mapping[str, Any], plan: GapPlan
) -> dict[str, Any]:
    """Whether the domains differ in more than these shares; of the source's inputs only what is drawn is read."""
    source, rows = context.source, _rows(context.source, "train")
    drawn = {
        "inputs": (source.open("train", "gap"), lambda places: source.inputs[rows[places]], spaces["inputs"][1]),
        "teacher": (_some(source.open("selection", "gap")), spaces["teacher"][0].__getitem__, spaces["teacher"][1]),
    }
    return beyond_shares(drawn, shares["estimated"], _distances(plan), plan.settings)


def _features(context: Context, settings: GapSettings) -> list[dict[str, Any]]:
    source, target = context.source.raw, context.target.raw
    if not (isinstance(source, pd.DataFrame) and isinstance(target, pd.DataFrame)):
        return []
    near, far = source.iloc[context.source.splits["train"]], target.iloc[_training_rows(context.target)]
    return feature_shift(near, far, alpha=settings.alpha)


def _training_rows(domain: Domain) -> Any:
    return [*domain.splits["labelled"], *domain.splits["train"]]
