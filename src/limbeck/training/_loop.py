"""The one training loop."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, RunError, bad_value, stream_seed
from limbeck.core.files import atomic_path, write_json
from limbeck.core.weights import save_weights
from limbeck.knowledge import Store
from limbeck.methods import Method, Update
from limbeck.trackers import Tracker
from limbeck.training._checkpoint import Progress, load_checkpoint, save_checkpoint
from limbeck.training._optimisers import make_optimiser, set_rate
from limbeck.training._predict import predict
from limbeck.training._settings import Training
from limbeck.training._streams import streams_of

__all__ = ["Job", "train"]

SELECTION_CAP = 2000
"""At most so many samples of each selection split are scored after an epoch."""


@dataclass(frozen=True)
class Job:
    """One training: a built method, what it may see, and where its files go.

    validate: (source logits, source labels, target logits) of the selection splits → scores by
    name, higher is better; it gets no target labels. validator: the score that chooses the
    checkpoint. about: what is written into the weights file.
    """

    name: str
    folder: Path
    method: Method
    domains: Mapping[str, DomainView]
    stores: Mapping[str, Store]
    settings: Training
    seed: int
    validate: Callable[[Tensor, Tensor, Tensor], dict[str, float]]
    validator: str
    about: Mapping[str, Any]


def train(
    job: Job, trackers: Sequence[Tracker] = (), tick: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """Train, or go on where a stopped run was; returns what `done.json` holds.

    Writes `weights.safetensors` (the evaluated student at the chosen checkpoint), `history.npz`
    (every evaluation's scores and target logits) and `done.json` into the job's folder. `tick` is
    called with the share of this training that is done.
    """
    return _Loop(job, trackers, tick).run()


class _Step:
    """What goes through the wrapped module; not a container that precision plugins would copy."""

    __slots__ = ("batches", "knowledge")

    def __init__(self, batches: dict[str, Batch], knowledge: dict[str, Knowledge]):
        self.batches = batches
        self.knowledge = knowledge


class _Stepper(nn.Module):
    def __init__(self, method: Method):
        super().__init__()
        self.method = method

    def forward(self, step: _Step) -> list[Update]:
        return self.method(step.batches, step.knowledge)


class _Loop:
    def __init__(self, job: Job, trackers: Sequence[Tracker], tick: Callable[[float], None]):
        from lightning_fabric import Fabric

        self.job, self.trackers, self.tick = job, trackers, tick
        settings, method = job.settings, job.method
        self.streams = streams_of(method.reads(), job.domains, job.stores, settings.batch_size, job.seed)
        self.epoch_steps = max(math.ceil(s.order.n / s.order.batch_size) for s in self.streams.values())
        self.steps = settings.epochs * self.epoch_steps
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self.fabric = Fabric(
            accelerator=settings.device,
            devices=1,
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
        )
        self.stepper = self.fabric.setup_module(_Stepper(method))
        self.optimisers: dict[str, Any] = {
            name: self.fabric.setup_optimizers(make_optimiser(groups, settings))
            for name, groups in method.parameter_groups().items()
        }
        self.progress = Progress()
        self.checkpoint = job.folder / "checkpoint.pt"

    def run(self) -> dict[str, Any]:
        self._restore()
        for tracker in self.trackers:
            tracker.open(self.job.folder, self.progress.step)
        try:
            self._train()
        finally:
            for tracker in self.trackers:
                tracker.close()
        return self._finish()

    def _train(self) -> None:
        progress, method = self.progress, self.job.method
        saved = started = time.monotonic()
        while progress.step < self.steps and not progress.stopped:
            if progress.step % self.epoch_steps == 0:
                method.start_epoch(progress.step // self.epoch_steps, self.job.domains["target"])
            method.train()
            self._update()
            progress.step += 1
            self.tick(progress.step / self.steps)
            now = time.monotonic()
            progress.seconds += now - started
            if progress.step % self.epoch_steps == 0:
                self._end_epoch(progress.step // self.epoch_steps)
            started = time.monotonic()
            if started - saved > self.job.settings.checkpoint_seconds and progress.step < self.steps:
                self._save()
                saved = started = time.monotonic()

    def _update(self) -> None:
        progress, settings = self.progress, self.job.settings
        share = progress.step / self.steps
        torch.manual_seed(stream_seed(self.job.seed, "step", progress.step))
        self.job.method.at(share)
        step = self._batches(progress.step)
        for update in self.stepper(step):
            optimiser = self.optimisers[update.group]
            set_rate(optimiser.optimizer, settings, share)
            loss = torch.stack([value.float() for value in update.losses.values()]).sum()
            optimiser.zero_grad()
            self.fabric.backward(loss)
            if settings.clip is not None:
                self.fabric.clip_gradients(self.stepper, optimiser, max_norm=settings.clip)
            optimiser.step()
            self._count({"loss": loss, **{f"loss/{name}": value for name, value in update.losses.items()}})
        self.job.method.after_update()
        progress.counted += 1

    def _batches(self, step: int) -> _Step:
        batches, knowledge = {}, {}
        for name, samples in self.streams.items():
            batch, said = samples.batch(step)
            known = None if batch.known is None else self.fabric.to_device(batch.known)
            batches[name] = Batch(self.fabric.to_device(batch.inputs), self.fabric.to_device(batch.index), known)
            if said is not None:
                features = {layer: self.fabric.to_device(value) for layer, value in said.features.items()}
                logits = None if said.logits is None else self.fabric.to_device(said.logits)
                knowledge[name] = Knowledge(logits, features)
        return _Step(batches, knowledge)

    def _count(self, losses: dict[str, Tensor]) -> None:
        for name, value in losses.items():
            value = value.detach().float()
            self.progress.sums[name] = self.progress.sums[name] + value if name in self.progress.sums else value

    def _end_epoch(self, epoch: int) -> None:
        progress = self.progress
        values = {name: float(total) / progress.counted for name, total in progress.sums.items()}
        progress.sums, progress.counted = {}, 0
        if not all(math.isfinite(value) for value in values.values()):
            raise RunError(
                f"The loss of {self.job.name} became {values['loss']} in epoch {epoch}. Lower 'training.learning_rate' "
                f"({self.job.settings.learning_rate}) or set 'training.clip: 1.0'."
            )
        rate = self.job.settings.learning_rate
        if epoch % self.job.settings.evaluate_every == 0 or progress.step == self.steps:
            values |= self._evaluate(epoch)
        log = {"epoch": epoch, **values, "lr": rate, "seconds": round(progress.seconds, 3)}
        for tracker in self.trackers:
            tracker.log(log, progress.step)

    def _evaluate(self, epoch: int) -> dict[str, float]:
        """Score the selection splits, keep the student if it is the best so far."""
        progress, job = self.progress, self.job
        source, target = job.domains["source"], job.domains["target"]
        labels = source.labels("selection")[:SELECTION_CAP]
        source_logits = self._selection_logits(source)
        target_logits = self._selection_logits(target)
        scores = job.validate(source_logits, labels, target_logits)
        if job.validator not in scores:
            raise bad_value("validator", "the recipe", f"one of {sorted(scores)} for this task", job.validator)
        progress.epochs.append(epoch)
        progress.logits.append(target_logits)
        for name, score in scores.items():
            progress.scores.setdefault(name, []).append(score)
        history = progress.scores[job.validator]
        if progress.chosen < 0 or history[-1] > history[progress.chosen]:
            progress.chosen = len(history) - 1
            progress.best = {name: v.detach().cpu().clone() for name, v in _student_state(job.method).items()}
        patience = job.settings.patience
        progress.stopped = patience is not None and len(history) - 1 - progress.chosen >= patience
        return {f"validator/{name}": score for name, score in scores.items()}

    def _selection_logits(self, view: DomainView) -> Tensor:
        rows = view.splits["selection"][:SELECTION_CAP]
        return predict(self.job.method.evaluated, view.inputs[rows])

    def _save(self) -> None:
        states = {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}
        save_checkpoint(self.checkpoint, self.progress, self.job.method.state_dict(), states)

    def _restore(self) -> None:
        found = load_checkpoint(self.checkpoint)
        if found is None:
            return
        self.progress, method, optimisers = found
        self.job.method.load_state_dict(method)
        for name, state in optimisers.items():
            self.optimisers[name].load_state_dict(state)
        self.progress.sums = {name: self.fabric.to_device(value) for name, value in self.progress.sums.items()}

    def _finish(self) -> dict[str, Any]:
        progress, job = self.progress, self.job
        save_weights(job.folder / "weights.safetensors", progress.best, job.about)
        with atomic_path(job.folder / "history.npz") as path:
            scores = {f"validator/{name}": np.array(values) for name, values in progress.scores.items()}
            logits = torch.stack(progress.logits).numpy()
            np.savez(path, epochs=np.array(progress.epochs), target_logits=logits, **scores)  # type: ignore[arg-type]
        done = {
            "epoch": progress.epochs[progress.chosen],
            "chosen": progress.chosen,
            "steps": progress.step,
            "seconds": round(progress.seconds, 3),
            "stopped_early": progress.stopped,
            "validators": {name: values[progress.chosen] for name, values in progress.scores.items()},
        }
        write_json(job.folder / "done.json", done)
        self.checkpoint.unlink(missing_ok=True)
        return done


def _student_state(method: Method) -> dict[str, Tensor]:
    return method.evaluated.network.state_dict()
