"""One optimiser step: batches through the method, losses to gradients, gradients to weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from limbeck.core import Batch, Knowledge, SeedStream
from limbeck.methods import Method, Update
from limbeck.training._fabric import make_fabric
from limbeck.training._optimisers import make_optimiser, plain_step, set_rate
from limbeck.training._settings import Training

__all__ = ["Engine", "Step"]


@dataclass(frozen=True)
class Step:
    """The samples of one step by stream, and what the teacher said of them."""

    batches: Mapping[str, Batch]
    knowledge: Mapping[str, Knowledge]

    def __len__(self) -> int:
        return sum(len(batch) for batch in self.batches.values())

    def split(self, parts: int) -> list[Step]:
        """Every stream cut into so many parts, of nearly equal size."""
        batches = {name: batch.split(parts) for name, batch in self.batches.items()}
        knowledge = {name: said.split(parts) for name, said in self.knowledge.items()}
        return [
            Step({name: cut[i] for name, cut in batches.items()}, {name: cut[i] for name, cut in knowledge.items()})
            for i in range(parts)
        ]


class Engine:
    """A method on its device, in its precision and layout, with its optimisers."""

    def __init__(self, method: Method, settings: Training, seed: int):
        fabric = make_fabric(settings)
        self.method, self.settings = method, settings
        self.device = fabric.device
        self.autocast = fabric.autocast if settings.precision == "bf16" else nullcontext  # Fabric's takes a while
        self.on_cpu = self.device.type == "cpu"
        method.to(self.device)
        if settings.layout == "channels_last":
            method.to(memory_format=torch.channels_last)
        if settings.compile is True:
            method.student.compile()
        groups = method.parameter_groups()
        self.seeds = SeedStream(seed, "step")
        self.moved = {name: [p for entry in entries for p in entry["params"]] for name, entries in groups.items()}
        self.optimisers = {name: make_optimiser(entries, settings) for name, entries in groups.items()}
        self.steps = {name: plain_step(optimiser) for name, optimiser in self.optimisers.items()}

    def update(self, step: Step, number: int, share: float) -> Iterator[dict[str, Tensor]]:
        """Carry out a step; gives the losses of each of its updates, which are still on the device.

        A method that yields several updates computes each after the optimiser step before it.
        """
        self._seed(self.seeds.seed(number))
        self.method.at(share)
        parts = step.split(self._parts(step)) if self.settings.accumulate > 1 else [step]
        runs = [self._run(part) for part in parts]
        shares = [len(part) / len(step) for part in parts]
        while (update := self._next(runs[0])) is not None:
            set_rate(self.optimisers[update.group], self.settings, share)
            for parameter in self.moved[update.group]:  # as `zero_grad` does, in a tenth of its time
                parameter.grad = None
            shown = self._backward(update, shares[0])
            for run, part in zip(runs[1:], shares[1:], strict=True):  # one part's graph is gone before the next is made
                shown = _added(shown, self._backward(self._next(run), part))
            if self.settings.clip is not None:
                self._clip(update.group, self.settings.clip)
            self.steps[update.group]()
            yield shown
        self.method.after_update()

    def place(self, step: Step) -> Step:
        """A step on the device, images in the layout of the network."""
        if self.on_cpu and self.settings.layout != "channels_last":
            return step
        return Step(
            {name: self._placed(batch) for name, batch in step.batches.items()},
            {name: self._placed_knowledge(said) for name, said in step.knowledge.items()},
        )

    def _placed(self, batch: Batch) -> Batch:
        inputs = self._moved(batch.inputs)
        if self.settings.layout == "channels_last" and inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        known, domains = (None if value is None else self._moved(value) for value in (batch.known, batch.domains))
        return Batch(inputs, self._moved(batch.index), known, domains=domains)

    def _placed_knowledge(self, said: Knowledge) -> Knowledge:
        features = {layer: self._moved(value) for layer, value in said.features.items()}
        return Knowledge(None if said.logits is None else self._moved(said.logits), features)

    def state(self) -> dict[str, Any]:
        return {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}

    def restore(self, method: Mapping[str, Any], optimisers: Mapping[str, Any]) -> None:
        self.method.load_state_dict(method)
        for name, state in optimisers.items():
            self.optimisers[name].load_state_dict(state)

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def _parts(self, step: Step) -> int:
        """As many parts as were asked for, but none with less than two samples of a stream (BatchNorm needs two).

        Each sample counts alike: streams of one length are divided as they come, and a part weighs by its samples;
        of others only so many parts are made as divide them all.
        """
        lengths = {len(batch) for batch in step.batches.values()}
        most = max(1, min(self.settings.accumulate, min(lengths) // 2))
        if len(lengths) == 1:
            return most
        return next(parts for parts in range(most, 0, -1) if all(length % parts == 0 for length in lengths))

    def _run(self, step: Step) -> Iterator[Update]:
        yield from self.method(step.batches, step.knowledge)  # only when asked: a part waits for the one before

    def _next(self, run: Iterator[Update]) -> Update | None:
        with self.autocast():
            return next(run, None)

    def _backward(self, update: Update | None, share: float) -> dict[str, Tensor]:
        """Add the gradients of an update's loss, times the part's share of the step; gives the losses by name."""
        assert update is not None, "every part of a step has the same updates"
        losses = {name: value.float() * share if share < 1 else value.float() for name, value in update.losses.items()}
        first, *rest = losses.values()
        loss = sum(rest, start=first)
        loss.backward()
        shown = {f"loss/{name}": value.detach() for name, value in losses.items()}
        return {"loss": loss.detach() if rest else next(iter(shown.values())), **shown}

    def _clip(self, group: str, norm: float) -> None:
        # Looking whether the norm is finite would wait for the device; the loss is looked at after the epoch.
        torch.nn.utils.clip_grad_norm_(self.moved[group], norm)

    def _seed(self, seed: int) -> None:
        """The generators that a step draws from; `torch.manual_seed` walks through all backends, which takes longer."""
        torch.default_generator.manual_seed(seed)
        if not self.on_cpu:
            torch.get_device_module(self.device.type).manual_seed(seed)


def _added(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value + second[name] for name, value in first.items()}
