"""The one training loop."""

from __future__ import annotations

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
from limbeck.training._fabric import make_fabric
from limbeck.training._optimisers import make_optimiser, rate_factor, set_rate
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
    """What goes through the wrapped module and comes out; no container that Fabric would search for tensors."""

    __slots__ = ("batches", "knowledge", "updates")

    def __init__(self, batches: dict[str, Batch], knowledge: dict[str, Knowledge]):
        self.batches = batches
        self.knowledge = knowledge
        self.updates: list[Update] = []


class _Stepper(nn.Module):
    def __init__(self, method: Method):
        super().__init__()
        self.method = method

    def forward(self, step: _Step) -> _Step:
        step.updates = self.method(step.batches, step.knowledge)
        return step


class _Loop:
    def __init__(self, job: Job, trackers: Sequence[Tracker], tick: Callable[[float], None]):
        self.job, self.trackers, self.tick = job, trackers, tick
        settings, method = job.settings, job.method
        self.streams = streams_of(method.reads(), job.domains, job.stores, settings.batch_size, job.seed)
        self.epoch_steps = max(math.ceil(s.order.n / s.order.batch_size) for s in self.streams.values())
        self.steps = settings.epochs * self.epoch_steps
        self.fabric = make_fabric(settings)
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
        method.train()
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
        self._seed(stream_seed(self.job.seed, "step", progress.step))
        self.job.method.at(share)
        step = self.stepper(self._batches(progress.step))
        for update in step.updates:
            optimiser = self.optimisers[update.group]
            set_rate(optimiser.optimizer, settings, share)
            first, *rest = (value.float() for value in update.losses.values())
            loss = sum(rest, start=first)
            optimiser.zero_grad()
            self.fabric.backward(loss)
            if settings.clip is not None:
                self._clip(optimiser, settings.clip)
            optimiser.step()
            self._count({"loss": loss, **{f"loss/{name}": value for name, value in update.losses.items()}})
        self.job.method.after_update()
        progress.counted += 1

    def _seed(self, seed: int) -> None:
        """The generators that a step draws from; `torch.manual_seed` walks through all backends, which takes longer."""
        torch.default_generator.manual_seed(seed)
        device = self.fabric.device.type
        if device != "cpu":
            torch.get_device_module(device).manual_seed(seed)

    def _clip(self, optimiser: Any, norm: float) -> None:
        # Looking whether the norm is finite would wait for the device; the loss is looked at after the epoch.
        self.fabric.clip_gradients(self.stepper, optimiser, max_norm=norm, error_if_nonfinite=False)

    def _batches(self, step: int) -> _Step:
        batches, knowledge = {}, {}
        for name, samples in self.streams.items():
            batch, said = samples.batch(step)
            known = None if batch.known is None else self._placed(batch.known)
            batches[name] = Batch(self._placed(batch.inputs), self._placed(batch.index), known)
            if said is not None:
                features = {layer: self._placed(value) for layer, value in said.features.items()}
                knowledge[name] = Knowledge(None if said.logits is None else self._placed(said.logits), features)
        return _Step(batches, knowledge)

    def _placed(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.fabric.device, non_blocking=True)

    def _count(self, losses: dict[str, Tensor]) -> None:
        for name, value in losses.items():
            value = value.detach().float()
            self.progress.sums[name] = self.progress.sums[name] + value if name in self.progress.sums else value

    def _end_epoch(self, epoch: int) -> None:
        progress = self.progress
        values = {name: float(total) / progress.counted for name, total in progress.sums.items()}
        progress.sums, progress.counted = {}, 0
        self._check_finite(values, epoch)
        settings = self.job.settings
        rate = settings.learning_rate * rate_factor(settings, (progress.step - 1) / self.steps)
        if epoch % settings.evaluate_every == 0 or progress.step == self.steps:
            values |= self._evaluate(epoch)
        log = {"epoch": epoch, **values, "lr": rate, "seconds": round(progress.seconds, 3)}
        for tracker in self.trackers:
            tracker.log(log, progress.step)

    def _check_finite(self, values: Mapping[str, float], epoch: int) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise RunError(
                    f"The {name} of {self.job.name} became {value} in epoch {epoch}. Lower 'training.learning_rate' "
                    f"({self.job.settings.learning_rate}) or set 'training.clip: 1.0'."
                )

    def _evaluate(self, epoch: int) -> dict[str, float]:
        """Score the selection splits, keep the student if it is the best so far."""
        progress, job = self.progress, self.job
        source, target = job.domains["source"], job.domains["target"]
        labels = source.labels("selection")[:SELECTION_CAP]
        source_logits = self._selection_logits(source)
        target_logits = self._selection_logits(target)
        scores = {name: float(score) for name, score in job.validate(source_logits, labels, target_logits).items()}
        if job.validator not in scores:
            raise bad_value("validator", "the recipe", f"one of {sorted(scores)} for this task", job.validator)
        self._check_finite({f"validator {name}": score for name, score in scores.items()}, epoch)
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
        self.progress.sums = {name: self._placed(value) for name, value in self.progress.sums.items()}

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
        for path in (self.checkpoint, *job.folder.glob(f".{self.checkpoint.name}.*")):  # a kill may leave half a one
            path.unlink(missing_ok=True)
        return done


def _student_state(method: Method) -> dict[str, Tensor]:
    return method.evaluated.network.state_dict()
