"""The stage in which teachers are asked: once for a store, or at every step where that takes less time."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limbeck.augmentations import Views
from limbeck.core import Domain, Knowledge, UsageError
from limbeck.knowledge import Keeping, Labelling, Live, Reader, label_domain
from limbeck.recipes._choices import labelling_passes
from limbeck.recipes._context import Context
from limbeck.recipes._keys import KnowledgePlan, Row
from limbeck.recipes._networks import knowledge_layers
from limbeck.recipes._teachers import ready_teacher, teacher_is_ready
from limbeck.recipes._views import views_of
from limbeck.teachers import Teacher

__all__ = ["knowledge_stage", "reader_of", "readers_of", "trained_rows"]

PROBED = 256
"""So many samples tell what an answer and a reading cost."""


def knowledge_stage(context: Context) -> None:
    """Let each teacher label the domains on which its rows read its knowledge."""
    plan = context.plan
    asked = [(seed, name) for seed in plan.seeds for name in plan.rows]
    with context.console.progress("knowledge", len(asked)) as show:
        for place, (seed, name) in enumerate(asked):
            readers_of(context, name, seed, partial(show, place))


def readers_of(
    context: Context, name: str, seed: int, tell: Callable[[str], None] = lambda text: None
) -> dict[str, Reader]:
    """Where a row gets its teacher's knowledge, by domain: from stores, computed where they are not yet there."""
    row: Row = context.plan.rows[name].make()
    streams = row.method.knowledge_streams()
    teacher = context.plan.teacher_of(name)
    if not streams or teacher is None:
        return {}
    if not teacher_is_ready(context, teacher, seed):
        raise UsageError(f"The teacher {teacher!r} is not trained yet: run the stage teacher first.")
    views = views_of(context.plan, context.plan.rows[name], row.method, seed)
    readers: dict[str, Reader] = {}
    for domain in (context.source, context.target):
        if domain.role in streams or (domain.role == "target" and "labelled" in streams):
            shown = views.get(domain.role) or views.get("labelled" if domain.role == "target" else domain.role)
            top = row.method.knowledge_top()
            readers[domain.role] = _Asking(context, teacher, seed, domain, shown, top).reader(name, tell)
    return readers


def reader_of(context: Context, name: str, teacher: str, seed: int, domain: Domain, views: Views | None) -> Reader:
    """Where the fine-tuning of a row gets a teacher's knowledge of a domain, as `readers_of`."""
    if not teacher_is_ready(context, teacher, seed):
        raise UsageError(f"The teacher {teacher!r} is not trained yet: run the stage teacher first.")
    return _Asking(context, teacher, seed, domain, views).reader(name, lambda text: None)


class _Asking:
    """One teacher of a seed, one domain and its views; top: of a black box, so many answers are stored and no layer."""

    def __init__(
        self, context: Context, teacher: str, seed: int, domain: Domain, views: Views | None, top: int | None = None
    ):
        self.context, self.name, self.seed, self.domain, self.views = context, teacher, seed, domain, views
        self.settings: KnowledgePlan = context.plan.make("knowledge")
        self.top = top

    def reader(self, row: str, tell: Callable[[str], None]) -> Reader:
        """The store of it, or the teacher itself; the same for all rows that ask for the same."""
        key = (self.name, self.seed, self.domain.role, "" if self.views is None else self.views.identity(), self.top)
        if key not in self.context.readers:
            self.context.readers[key] = self._made(row, tell)
        return self.context.readers[key]

    def _made(self, row: str, tell: Callable[[str], None]) -> Reader:
        teacher = ready_teacher(self.context, self.name, self.seed)
        inputs, rows = teacher.inputs(self.domain), trained_rows(self.domain)
        ask, extras = self._ask(teacher, inputs)
        labelling = Labelling(self._keeping(), self.views, rows, ask=ask, extras=extras)
        layers = knowledge_layers(self.context.plan, self.name) if self.top is None else []
        live = Live(teacher, inputs, self.views, ask)
        read = self.settings.read
        if read == "auto":
            measure = partial(self._measured, live, teacher, layers, labelling, row)
            read = self.context.choose(f"knowledge/{self.name}/{self.domain.role}", measure)["read"]
        if read == "live":
            return live
        samples = 0

        def count(more: int) -> None:
            nonlocal samples
            samples += more
            tell(f"{self.name}, seed {self.seed}, {self.domain.name}: {samples} answers")

        return label_domain(self.context.folder / "knowledge", teacher, inputs, layers, labelling, count)

    def _keeping(self) -> Keeping:
        """What the recipe says, but of a black box no more than its top answers."""
        keeping = self.settings.keeping
        if self.top is None:
            return keeping
        return replace(keeping, mass=None, top=min(self.top, keeping.top or self.top))

    def _ask(self, teacher: Teacher, inputs: Tensor) -> tuple[Callable[[Tensor], Knowledge] | None, dict[str, str]]:
        network = teacher.body()
        if network is None:
            return None, {}
        answers = len(trained_rows(self.domain)) * (1 if self.views is None else self.views.count or 1)
        passes = labelling_passes(self.context, self.name, network, inputs, answers)

        def ask(batch: Tensor) -> Knowledge:
            if passes.layout == "channels_last" and batch.ndim == 4:
                batch = batch.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=passes.precision == "bf16"):
                return teacher.label(batch)

        return ask, {"precision": passes.precision, "layout": passes.layout}

    def _measured(
        self, live: Live, teacher: Teacher, layers: list[str], labelling: Labelling, row: str
    ) -> dict[str, Any]:
        """What either way takes for all the rows that read it, by timing both on a few batches."""
        assert labelling.rows is not None
        settings = self.context.plan.training(self.context.plan.rows[row])
        some = labelling.rows[:PROBED]
        batch = some[: settings.batch_size]
        with tempfile.TemporaryDirectory() as folder:
            trial = Labelling(labelling.keeping, self.views, some, ask=labelling.ask, extras=labelling.extras)
            store = label_domain(Path(folder), teacher, live.inputs, layers, trial)
            asked, read = _seconds(lambda: live.read(batch)), _seconds(lambda: store.read(batch))
        views = 1 if self.views is None else self.views.count or 1
        steps = settings.epochs * math.ceil(len(labelling.rows) / settings.batch_size)
        rows = sum(self.context.plan.teacher_of(name) == self.name for name in self.context.plan.rows)
        stored = views * math.ceil(len(labelling.rows) / settings.batch_size) * asked + rows * steps * read
        answered = rows * steps * asked
        found = {"ask_ms": asked * 1e3, "read_ms": read * 1e3, "store_s": stored, "live_s": answered}
        return {"read": "store" if stored <= answered else "live", **{k: round(v, 3) for k, v in found.items()}}


def trained_rows(domain: Domain) -> Tensor:
    """The samples of a domain that train: no other is asked for."""
    splits = ("train",) if domain.role == "source" else ("labelled", "train")
    return torch.cat([torch.from_numpy(domain.splits[split]) for split in splits]).sort().values


def _seconds(call: Callable[[], object], repeats: int = 3) -> float:
    """The least time of a call, after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
