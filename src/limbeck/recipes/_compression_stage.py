"""The stage that makes trained students smaller: a row's steps one after another, each fine-tuned and measured."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import limbeck
from limbeck.compression import Runtime, costs_of, layer_changes
from limbeck.core import Domain, LimbeckError, Spec, UsageError, some_of, stream_seed
from limbeck.core.files import atomic_path, read_json, write_json
from limbeck.core.weights import save_weights
from limbeck.evaluation import ChainRecord, StepRecord
from limbeck.export import Runner
from limbeck.networks import Observed
from limbeck.recipes._compressed import compressed_folder, load_compressed, step_folders, steps_of
from limbeck.recipes._context import Context
from limbeck.recipes._keys import Row, Step, TeacherPlan
from limbeck.recipes._plan import Plan
from limbeck.recipes._predict import load_student
from limbeck.recipes._teachers import answers_of, ready_teacher
from limbeck.recipes._training_stages import Trained, job_of, student_folder, ticker, trackers_of
from limbeck.recipes._tuning import teacher_of_step, tuned_node, tuning_method, tuning_readers
from limbeck.training import predict, train

__all__ = ["chain_records", "compression_stage"]

BEFORE, TEACHER = "0-student", "0-teacher"
"""The folders with what the student costs before any step, and what its teacher says and costs."""

SAMPLES = 512
"""So many unlabelled training samples of the target tell what is worth keeping, and the time of a call."""

AT_ONCE = 256
"""So many samples go through a written file together."""


def chain_records(context: Context) -> list[ChainRecord]:
    """What the evaluation is told of each row's steps; `UsageError` where one is not carried out yet."""
    return [_chain_record(context, name) for name in context.plan.rows if steps_of(context.plan, name)]


def _chain_record(context: Context, name: str) -> ChainRecord:
    for seed in context.plan.seeds:
        if not _is_done(context, name, seed):
            raise UsageError(f"Row {name!r}, seed {seed} is not compressed yet: run the stage compression first.")
    lines = [("as trained", BEFORE)]
    steps, folders = steps_of(context.plan, name), step_folders(context.plan, name)
    lines += [(step.title or folder, folder) for step, folder in zip(steps, folders, strict=True)]
    records = [_step_record(context, name, title, folder) for title, folder in lines]
    teacher = teacher_of_row(context.plan, name)
    seeds = [compressed_folder(student_folder(context, name, seed)) / TEACHER for seed in context.plan.seeds]
    if teacher is None or not all((seed / "costs.json").exists() for seed in seeds):
        return ChainRecord(name, records)
    made: TeacherPlan = context.plan.teachers[teacher].make()
    return ChainRecord(name, records, _step_record(context, name, made.title or teacher.replace("_", " "), TEACHER))


def _step_record(context: Context, name: str, title: str, folder: str) -> StepRecord:
    logits, costs = [], []
    for seed in context.plan.seeds:
        student = student_folder(context, name, seed)
        own = compressed_folder(student)
        kept = np.load((student if folder == BEFORE else own / folder) / "predictions.npz")
        logits.append(torch.from_numpy(kept["target_logits"]))
        costs.append(read_json(own / folder / "costs.json"))
    return StepRecord(title, logits, costs)


def compression_stage(context: Context) -> None:
    """Carry out each row's steps with each seed, and keep what each smaller student says and costs."""
    plan = context.plan
    asked = [(seed, name) for seed in plan.seeds for name in plan.rows if steps_of(plan, name)]
    waiting = [(seed, name) for seed, name in asked if not _is_done(context, name, seed)]
    if not waiting:
        return
    with context.console.progress("compression", len(waiting)) as show:
        for number, (seed, name) in enumerate(waiting):
            if not (student_folder(context, name, seed) / "predictions.npz").exists():
                raise UsageError(f"Row {name!r}, seed {seed} is not trained yet: run the stage student first.")
            start = time.monotonic()
            _Chain(context, name, seed).run(ticker(show, number, f"{name}, seed {seed}"))
            steps = ", ".join(step_folders(plan, name))
            context.console.say(f"{name}, seed {seed}: {steps} in {time.monotonic() - start:.1f} s")


def _is_done(context: Context, name: str, seed: int) -> bool:
    folder = compressed_folder(student_folder(context, name, seed))
    return (folder / step_folders(context.plan, name)[-1] / "costs.json").exists()


def teacher_of_row(plan: Plan, name: str) -> str | None:
    """The teacher that a row learns from, or that it starts as; None where there is none."""
    row: Row = plan.rows[name].make()
    if row.method.knowledge_streams():
        return plan.teacher_of(name)
    return row.start if row.start in plan.teachers else None


class _Chain:
    """The steps of one row and seed."""

    def __init__(self, context: Context, name: str, seed: int):
        self.context, self.name, self.seed = context, name, seed
        self.steps = steps_of(context.plan, name)
        self.folder = compressed_folder(student_folder(context, name, seed))
        self.runtime: Runtime = self.steps[-1].step.runtime
        student = load_student(context.folder, name, seed, context.plan).network
        self.student = copy.deepcopy(student.network).eval()
        self.inputs = context.target.split_inputs("train", SAMPLES)

    def run(self, tick: Callable[[float], None]) -> None:
        if not (self.folder / BEFORE / "costs.json").exists():
            costs = costs_of(self.student, self.inputs, self.runtime)
            write_json(self.folder / BEFORE / "costs.json", costs.state())
        self._keep_teacher()
        network = self.student
        folders = step_folders(self.context.plan, self.name)
        for number, (step, folder) in enumerate(zip(self.steps, folders, strict=True)):
            tell = partial(_tell, tick, number, len(folders))
            network = self._step(step, network, self.folder / folder, tell)

    def _keep_teacher(self) -> None:
        """What the row's teacher says and costs, in the same runtime or, where that does not take it, in PyTorch."""
        context, folder = self.context, self.folder / TEACHER
        name = teacher_of_row(context.plan, self.name)
        if name is None or (folder / "costs.json").exists():
            return
        teacher = ready_teacher(context, name, self.seed)
        network = teacher.body()
        if network is None:
            return
        rows = torch.from_numpy(context.target.splits["train"])
        rows = rows[some_of(len(rows), SAMPLES)]
        inputs = teacher.inputs(context.target)[rows]
        try:
            costs = costs_of(network, inputs, self.runtime)
        except LimbeckError as error:  # it has an operator that is not known there, or says something else there
            context.console.say(f"{name} is measured in PyTorch: {error}")
            costs = costs_of(network, inputs, "torch")
        _save_answers(folder, partial(answers_of, teacher), context)
        write_json(folder / "costs.json", costs.state())

    def _step(self, step: Step, network: nn.Module, folder: Path, tick: Callable[[float], None]) -> nn.Module:
        rounds, seconds = step.step.rounds, 0.0
        for turn in range(rounds):
            own = folder if rounds == 1 else folder / f"round-{turn + 1}"
            network, taken = self._turn(step, network, own, turn, partial(_tell, tick, turn, rounds))
            seconds += taken
        if not (folder / "costs.json").exists():
            self._keep(step, network, folder, seconds)
        return network

    def _turn(
        self, step: Step, network: nn.Module, folder: Path, turn: int, tick: Callable[[float], None]
    ) -> tuple[nn.Module, float]:
        """The network after one round, and the seconds of its fine-tuning."""
        weights, seconds = folder / "weights.safetensors", 0.0
        shrunk = step.step.shrunk(network, self.inputs, turn).eval()
        about = self.context.about(row=self.name, seed=self.seed, layers=layer_changes(self.student, shrunk))
        if step.step.tuned:
            done = read_json(folder / "done.json") if (folder / "done.json").exists() else None
            if done is None:
                done = self._tuned(step, step.step.held(shrunk, self.inputs), folder, about, tick)
            seconds = done["seconds"]
        elif not weights.exists():
            save_weights(weights, shrunk.state_dict(), about)
        return load_compressed(self.student, weights), seconds

    def _tuned(
        self, step: Step, network: nn.Module, folder: Path, about: dict[str, Any], tick: Callable[[float], None]
    ) -> dict[str, Any]:
        context, method = self.context, tuning_method(step, self.context.task)
        stores = tuning_readers(context, self.name, self.seed, step, method, self.student)
        knowledge = next(iter(stores.values())).spec() if stores else Spec(0)
        observed = Observed(network, method.student_layers())
        torch.manual_seed(stream_seed(self.seed, "init", self.name, str(folder.relative_to(self.folder))))
        method.build(observed, context.task, observed.spec(context.source.shape), knowledge)
        node = tuned_node(context.plan.rows[self.name], step)
        who = Trained(self.name, self.seed, node, folder, stores)
        job = job_of(context, who, method, context.plan.rows[self.name].make().validator, about)
        return train(job, trackers_of(context), tick)

    def _keep(self, step: Step, network: nn.Module, folder: Path, seconds: float) -> None:
        """predictions.npz, the file where the step writes one, and at last costs.json, by which the step is done."""
        part, context, form, file = step.step, self.context, step.step.form, None
        if form is not None:
            file = folder / form.file
            if not file.exists():
                about = {"limbeck": limbeck.__version__, "name": context.folder.name, "row": self.name}
                part.write(network, self.inputs, file, {**about, "seed": self.seed, "task": context.task.state()})
        say = _network_says(network) if form is None or file is None else _file_says(form.runner(file))
        _save_answers(folder, say, context)
        costs = costs_of(network, self.inputs, self.runtime, file).state()
        taught = teacher_of_step(context.plan, context.plan.rows[self.name].make(), self.name, step)
        costs |= {"train_seconds": seconds, "teacher": taught if part.tuned else None}
        write_json(folder / "costs.json", costs)


def _save_answers(folder: Path, say: Callable[[Domain], Tensor], context: Context) -> None:
    with atomic_path(folder / "predictions.npz") as path:
        near, far = (say(domain) for domain in (context.source, context.target))
        np.savez(path, source_logits=near.numpy(), target_logits=far.numpy())


def _tell(tick: Callable[[float], None], done: int, of: int, share: float) -> None:
    tick((done + share) / of)


def _network_says(network: nn.Module) -> Callable[[Domain], Tensor]:
    observed = Observed(network)
    return lambda domain: predict(observed, domain.inputs, rows=torch.from_numpy(domain.splits["test"]))


def _file_says(run: Runner) -> Callable[[Domain], Tensor]:
    def say(domain: Domain) -> Tensor:
        rows = torch.from_numpy(domain.splits["test"])
        return torch.cat([torch.from_numpy(run(domain.inputs[part].numpy())) for part in rows.split(AT_ONCE)])

    return say
