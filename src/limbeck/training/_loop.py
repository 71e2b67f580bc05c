"""The one training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core.files import atomic_path, write_json
from limbeck.core.weights import save_weights
from limbeck.knowledge import Live
from limbeck.trackers import Tracker
from limbeck.training._checkpoint import Progress, load_checkpoint, save_checkpoint
from limbeck.training._collapse import diverged
from limbeck.training._engine import Engine, Step
from limbeck.training._evaluation import evaluate
from limbeck.training._job import Job
from limbeck.training._optimisers import rate_factor
from limbeck.training._prefetch import Prefetch
from limbeck.training._streams import Reading, streams_of
from limbeck.training._visible import visible_domains

__all__ = ["SOURCE_SIDE", "train"]

SOURCE_SIDE = "source_side.safetensors"
"""The student as the source is shown to it at the chosen checkpoint, where a method has another for it."""

PENDING = 256
"""So many updates' losses wait to be added up."""


def train(
    job: Job, trackers: Sequence[Tracker] = (), tick: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """Train, or go on where a stopped run was; returns what `done.json` holds.

    Writes `weights.safetensors` (the evaluated student at the chosen checkpoint), `history.npz`
    (every evaluation's scores and target logits) and `done.json` into the job's folder. `tick` is
    called with the share of this training that is done.
    """
    return _Loop(job, trackers, tick).run()


class _Loop:
    def __init__(self, job: Job, trackers: Sequence[Tracker], tick: Callable[[float], None]):
        self.job, self.trackers, self.tick = job, trackers, tick
        settings, method = job.settings, job.method
        reading = Reading(settings.batch_size, job.seed, job.stores, job.views, settings.layout == "channels_last")
        self.domains = visible_domains(job.domains, method)
        self.streams = streams_of(() if method.closed_form else method.reads(), self.domains, reading)
        self.epoch_steps = max((math.ceil(s.order.n / s.order.batch_size) for s in self.streams.values()), default=1)
        self.steps = settings.epochs * self.epoch_steps
        self.engine = Engine(method, settings, job.seed)
        self.progress = Progress()
        self.pending: list[dict[str, Tensor]] = []
        self.checkpoint = job.folder / "checkpoint.pt"

    def run(self) -> dict[str, Any]:
        self._restore()
        for tracker in self.trackers:
            tracker.open(self.job.folder, self.progress.step)
        try:
            if self.job.method.closed_form:
                self._solve()
            else:
                self._train()
        finally:
            for tracker in self.trackers:
                tracker.close()
        return self._finish()

    def _solve(self) -> None:
        """A method without steps: all is found at once, and that is the one checkpoint there is."""
        progress, started = self.progress, time.monotonic()
        self.job.method.cpu().fit(self.domains["source"], self.domains["target"])
        progress.seconds = time.monotonic() - started
        log = {"epoch": 1, **self._evaluate(1), "seconds": round(progress.seconds, 3)}
        for tracker in self.trackers:
            tracker.log(log, progress.step)
        self.tick(1.0)

    def _train(self) -> None:
        workers = self._workers()
        with Prefetch(self._fetch, self.progress.step, self.steps, workers) as batches:
            self._steps(batches)

    def _steps(self, batches: Prefetch[Step]) -> None:
        progress, method = self.progress, self.job.method
        saved = started = time.monotonic()
        method.train()
        while progress.step < self.steps and not progress.stopped:
            if progress.step % self.epoch_steps == 0:
                method.start_epoch(progress.step // self.epoch_steps, self.domains["target"])
                method.train()
            self._update(batches)
            now = time.monotonic()
            progress.seconds += now - started
            self.tick(progress.step / self.steps)
            if progress.step % self.epoch_steps == 0:
                self._end_epoch(progress.step // self.epoch_steps)
            started = time.monotonic()
            if started - saved > self.job.settings.checkpoint_seconds and progress.step < self.steps:
                self._save()
                saved = started = time.monotonic()

    def _update(self, batches: Prefetch[Step]) -> None:
        progress, before = self.progress, batches.waited
        step = batches.next()
        progress.waited += batches.waited - before
        self.pending += self.engine.update(self.engine.place(step), progress.step, progress.step / self.steps)
        progress.step += 1
        progress.counted += 1
        if len(self.pending) > PENDING:
            self._sum_up()

    def _fetch(self, step: int) -> Step:
        """What a step reads; it follows from the step's number alone."""
        batches, knowledge = {}, {}
        for name, samples in self.streams.items():
            batches[name], said = samples.batch(step)
            if said is not None:
                knowledge[name] = said
        return Step(batches, knowledge)

    def _workers(self) -> int:
        """How many threads get batches ready: a hand-over costs more than to look up a few rows in memory."""
        asked = self.job.settings.workers
        if asked != "auto":
            return asked
        job = self.job
        slow = bool(job.views) or any(isinstance(reader, Live) for reader in job.stores.values())
        return int(slow or any(view.mapped for view in self.domains.values()))

    def _sum_up(self) -> None:
        """Add the losses of the last steps to the epoch's; a step itself adds none, to cost nothing."""
        sums = self.progress.sums
        for name in dict.fromkeys(name for losses in self.pending for name in losses):
            values = torch.stack([losses[name] for losses in self.pending if name in losses]).double()
            before = sums.get(name, values.new_zeros(()))
            sums[name] = torch.cat([before[None], values]).cumsum(0)[-1]  # in order, wherever a stopped run was cut
        self.pending = []

    def _end_epoch(self, epoch: int) -> None:
        progress = self.progress
        self._sum_up()
        values: dict[str, float | str] = self._mean_losses(epoch)
        settings = self.job.settings
        rate = settings.learning_rate * rate_factor(settings, (progress.step - 1) / self.steps)
        due = epoch % settings.evaluate_every == 0 or progress.step == self.steps
        if due and not progress.stopped:
            values |= self._evaluate(epoch)
        seconds = {"seconds": round(progress.seconds, 3), "data_wait": round(progress.waited / progress.seconds, 3)}
        log = {"epoch": epoch, **values, "lr": rate, **seconds}
        for tracker in self.trackers:
            tracker.log(log, progress.step)

    def _mean_losses(self, epoch: int) -> dict[str, float | str]:
        """The epoch's mean losses, or the sentence that one of them is no number."""
        progress = self.progress
        means = {name: float(total) / progress.counted for name, total in progress.sums.items()}
        progress.sums, progress.counted = {}, 0
        broken = next((name for name, value in means.items() if not math.isfinite(value)), None)
        if broken is not None:
            return {"collapse": diverged(self.job, progress, broken, means[broken], epoch)}
        return {**means}

    def _evaluate(self, epoch: int) -> dict[str, float | str]:
        last = self.progress.step == self.steps or self.job.method.closed_form
        return evaluate(self.job, self.domains, self.progress, epoch, last)

    def _save(self) -> None:
        self._sum_up()
        save_checkpoint(self.checkpoint, self.progress, self.job.method.state_dict(), self.engine.state())

    def _restore(self) -> None:
        found = load_checkpoint(self.checkpoint)
        if found is None:
            return
        self.progress, method, optimisers = found
        self.engine.restore(method, optimisers)
        device = self.engine.device
        self.progress.sums = {name: value.to(device) for name, value in self.progress.sums.items()}

    def _finish(self) -> dict[str, Any]:
        progress, job = self.progress, self.job
        save_weights(job.folder / "weights.safetensors", progress.best, job.about)
        if progress.source_side:
            save_weights(job.folder / SOURCE_SIDE, progress.source_side, {})
        with atomic_path(job.folder / "history.npz") as path:
            scores = {f"validator/{name}": np.array(values) for name, values in progress.scores.items()}
            logits = torch.stack(progress.logits).numpy()
            scores |= {f"diagnostics/{name}": np.array(values) for name, values in progress.diagnostics.items()}
            np.savez(path, epochs=np.array(progress.epochs), target_logits=logits, **scores)  # type: ignore[arg-type]
        done = {
            "epoch": progress.epochs[progress.chosen],
            "chosen": progress.chosen,
            "steps": progress.step,
            "seconds": round(progress.seconds, 3),
            "stopped_early": progress.stopped,
            "collapse": progress.collapse,
            "validators": {name: values[progress.chosen] for name, values in progress.scores.items()},
        }
        write_json(job.folder / "done.json", done)
        for path in (self.checkpoint, *job.folder.glob(f".{self.checkpoint.name}.*")):  # a kill may leave half a one
            path.unlink(missing_ok=True)
        return done
