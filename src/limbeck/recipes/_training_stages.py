"""The stages that train and label: teacher, knowledge, students. What they leave is where the next start goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core import Domain, Spec, Task, UsageError, some_of
from limbeck.core.files import atomic_path, read_json
from limbeck.core.weights import load_weights, read_weights
from limbeck.evaluation import (
    ALL_VALIDATORS,
    DEFAULT_VALIDATOR,
    REGRESSION_VALIDATORS,
    VALIDATORS,
    Observations,
    applicable,
    headline,
    sample_scores,
    statistic_for,
    validate,
)
from limbeck.knowledge import Reader
from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.recipes._check import ON_SOURCE, ON_TARGET
from limbeck.recipes._choices import measured_settings
from limbeck.recipes._context import Context
from limbeck.recipes._keys import Row, TeacherPlan
from limbeck.recipes._knowledge_stage import readers_of
from limbeck.recipes._networks import (
    built_method,
    built_teacher,
    parameter_bytes,
    teaching_method,
)
from limbeck.recipes._nodes import ObjectNode
from limbeck.recipes._rooms import parts_of
from limbeck.recipes._teachers import fit_teacher, teacher_folder, teacher_is_ready
from limbeck.recipes._views import views_of
from limbeck.trackers import ALWAYS, Tracker
from limbeck.training import Hopeless, Job, Seen, never, observe, train

__all__ = [
    "EMBEDDED",
    "Trained",
    "job_of",
    "milliseconds_per_sample",
    "student_folder",
    "student_stage",
    "teacher_stage",
    "ticker",
    "trackers_of",
    "train_student",
    "train_teacher",
    "validator_of",
]

FEW_STEPS = 100
"""A training of fewer steps is told to be short."""
EMBEDDED = 300
"""So many test samples of each domain are kept with their representation, for the report's picture."""


def teacher_stage(context: Context) -> None:
    """Train each teacher with each seed, where it is not loaded from a file."""
    plan = context.plan
    trained = [name for name, node in plan.teachers.items() if not node.make().teacher.consults()]
    waiting = [(seed, name) for seed in plan.seeds for name in trained if not teacher_is_ready(context, name, seed)]
    if not waiting:
        return
    with context.console.progress("teachers", len(waiting)) as show:
        for number, (seed, name) in enumerate(waiting):
            start = time.monotonic()
            done = train_teacher(context, name, seed, ticker(show, number, f"{name}, seed {seed}"))
            _say(context, name, seed, done, time.monotonic() - start)


def ticker(show: Callable[[float, str], None], number: int, text: str) -> Callable[[float], None]:
    return lambda share: show(number + share, text)


def _say(context: Context, name: str, seed: int, done: dict[str, Any], seconds: float) -> None:
    told = f"{name}, seed {seed}: {done['steps']} steps in {seconds:.1f} s, checkpoint of epoch {done['epoch']} chosen"
    if 0 < done["steps"] < FEW_STEPS:
        told += "; these are few: an epoch is one pass over what it reads, so it may need more epochs"
    context.console.say(told if done["steps"] else f"{name}, seed {seed}: solved in {seconds:.1f} s")
    if done["collapse"] is not None:
        context.console.say(f"{name}, seed {seed}: {done['collapse']}")


@dataclass(frozen=True)
class Trained:
    """Who is trained: a teacher or a row, with which seed, where its files go, who teaches it, when to give it up."""

    name: str
    seed: int
    node: ObjectNode
    folder: Path
    stores: Mapping[str, Reader] = field(default_factory=dict)
    hopeless: Hopeless = never


def train_teacher(context: Context, name: str, seed: int, tick: Callable[[float], None]) -> dict[str, Any]:
    """Train a teacher; its `done.json`."""
    plan = context.plan
    teacher = built_teacher(plan, name, seed, context.frame)
    if teacher.learns():
        return fit_teacher(context, name, seed)
    network = teacher.trainable()
    assert network is not None
    made: TeacherPlan = plan.teachers[name].make()
    method = teaching_method(made, network, context.frame)
    who = Trained(name, seed, plan.teachers[name], teacher_folder(context, name, seed))
    job = job_of(context, who, method, made.validator, context.about())
    if made.source is not None:
        job = replace(job, domains={**job.domains, "source": context.source.of(made.source).view()})
    return train(job, trackers_of(context), tick)


def trackers_of(context: Context) -> list[Tracker]:
    always = [parts_of(Tracker)[name]() for name in ALWAYS]
    asked = [tracker for tracker in context.plan.make("trackers") if type(tracker) not in map(type, always)]
    return [*always, *asked]


def job_of(context: Context, who: Trained, method: Method, validator: str | None, about: dict[str, Any]) -> Job:
    """The job of one training; what it may see follows from what the method says it needs."""
    task, plan = context.task, context.plan
    settings = plan.training(who.node)
    settings = measured_settings(context, who.name, method, settings)
    purpose = f"training of {who.name}"
    opened = ("train", "selection") if "target_labels" in method.requires() else ()
    target = context.target.view(opened, purpose, who.name)
    chosen = validator_of(context, validator, method)
    common = VALIDATORS.keys() if task.is_classification else REGRESSION_VALIDATORS
    names = common | ({chosen, plan.value("validator")} & ALL_VALIDATORS.keys())
    return Job(
        name=who.name,
        folder=who.folder,
        method=method,
        domains={"source": context.source.view(), "target": target},
        stores=who.stores,
        settings=settings,
        seed=who.seed,
        validate=partial(_scores, task, names, target.labels("selection") if opened else None),
        validator=chosen,
        needs=frozenset[str]().union(*(ALL_VALIDATORS[name].needs for name in names)),
        about=about,
        views=views_of(plan, who.node, method, who.seed),
        hopeless=who.hopeless,
    )


def validator_of(context: Context, own: str | None, method: Method | None = None) -> str:
    """The validator that chooses: a row's own, the recipe's, or the task's default; an upper bound's sees labels."""
    default = DEFAULT_VALIDATOR if context.task.is_classification else ON_SOURCE
    if method is not None and "target_labels" in method.requires():
        return own or ON_TARGET
    return own or context.plan.value("validator") or default


def _scores(task: Task, names: Set[str], truth: Tensor | None, *outputs: Tensor, **more: Any) -> dict[str, float]:
    """What these validators say of a checkpoint; truth: the target's labels, of an upper bound alone.

    outputs, more: as `Job.validate` gets them.
    """
    source, labels, target, features = outputs
    seen = Observations(source, labels, target, task, target_features=features, **more)
    scores = {name: validate(name, seen) for name in sorted(names & set(applicable(seen)))}
    if truth is not None:
        scores[ON_TARGET] = _by_labels(task, target, truth[some_of(len(truth), len(target))])
    return scores


def _by_labels(task: Task, logits: Tensor, labels: Tensor) -> float:
    """The metric that leads a comparison on these labels, higher is better."""
    if not task.is_classification:
        return validate(ON_SOURCE, Observations(logits, labels, logits, task))
    statistic = statistic_for(headline(task, labels)[0], labels)
    return float(statistic(np.ones((1, len(labels))), sample_scores(logits[None], labels, task))[0, 0])


def student_stage(context: Context) -> None:
    """Train every row with every seed, and keep what each says of the test splits."""
    plan = context.plan
    waiting = [(seed, name) for seed in plan.seeds for name in plan.rows if not _is_done(context, name, seed)]
    if not waiting:
        return
    with context.console.progress("students", len(waiting)) as show:
        for number, (seed, name) in enumerate(waiting):
            start = time.monotonic()
            done = train_student(context, name, seed, ticker(show, number, f"{name}, seed {seed}"))
            _say(context, name, seed, done, time.monotonic() - start)


def student_folder(context: Context, name: str, seed: int) -> Path:
    return context.folder / context.students / name / str(seed)


def _is_done(context: Context, name: str, seed: int) -> bool:
    return (student_folder(context, name, seed) / "predictions.npz").exists()


def train_student(
    context: Context, name: str, seed: int, tick: Callable[[float], None], hopeless: Hopeless = never
) -> dict[str, Any]:
    """Train a row, or read what was trained; its `done.json`."""
    plan = context.plan
    row: Row = plan.rows[name].make()
    stores = readers_of(context, name, seed)
    knowledge = next(iter(stores.values())).spec() if row.method.knowledge_streams() else Spec(0)
    start = _start_weights(context, row, seed)
    method = built_method(plan, name, seed, context.frame, knowledge, start)
    folder = student_folder(context, name, seed)
    who = Trained(name, seed, plan.rows[name], folder, stores, hopeless)
    if (folder / "done.json").exists():  # the run was stopped between the training and the predictions
        done = read_json(folder / "done.json")
    else:
        about = context.about(knowledge, row=name, seed=seed)
        done = train(job_of(context, who, method, row.validator, about), trackers_of(context), tick)
    state, _ = read_weights(folder / "weights.safetensors")
    load_weights(method.evaluated.network, state, name)
    _keep_predictions(context, folder, method.evaluated.cpu())
    return done


def _start_weights(context: Context, row: Row, seed: int) -> Path | None:
    if row.start is None:
        return None
    if row.start in context.plan.teachers:
        if not teacher_is_ready(context, row.start, seed):
            raise UsageError(f"The teacher {row.start!r} is not trained yet: run the stage teacher first.")
        trained = teacher_folder(context, row.start, seed) / "weights.safetensors"
        return trained if trained.exists() else None
    return student_folder(context, row.start, seed) / "weights.safetensors"


def _keep_predictions(context: Context, folder: Path, student: Observed) -> None:
    """predictions.npz: logits and some representations of both test splits, and the student's size and speed."""
    near, far = (_seen(student, domain) for domain in (context.source, context.target))
    parameters, size = parameter_bytes(student.network)
    with atomic_path(folder / "predictions.npz") as path:
        np.savez(
            path,
            source_logits=near.logits.numpy(),
            target_logits=far.logits.numpy(),
            source_features=near.features.numpy(),
            target_features=far.features.numpy(),
            parameters=parameters,
            bytes=size,
            milliseconds=milliseconds_per_sample(student, context.target.split_inputs("test", 1)),
        )


def _seen(student: Observed, domain: Domain) -> Seen:
    """What a student says of a domain's test split, and how it represents `EMBEDDED` of it."""
    rows = torch.from_numpy(domain.splits["test"])
    shown = torch.zeros(len(rows), dtype=torch.bool)
    shown[some_of(len(rows), EMBEDDED)] = True
    return observe(student, domain.inputs, shown, rows=rows)


def milliseconds_per_sample(student: Observed, inputs: Tensor, repeats: int = 30) -> float:
    """The median time of one sample at batch 1, on one thread of this processor."""
    sample, times, threads = inputs[:1], [], torch.get_num_threads()
    student.eval()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for _ in range(repeats):
                start = time.perf_counter()
                student(sample)
                times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return float(np.median(times)) * 1000
