"""A world small enough to train in: two domains, a network, and parts made from their signatures, none named."""

from __future__ import annotations

import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from house_tree import parts, rooms
from torch import Tensor, nn

from limbeck.core import Domain, DomainView, Spec, Task, UsageError, stream_seed
from limbeck.knowledge import Store
from limbeck.methods import Method
from limbeck.networks import Observed
from limbeck.objectives import Schedule, Term
from limbeck.training import Job, Training, train

__all__ = ["CLASSES", "VALUES", "WIDTH", "KilledError", "World", "instances", "methods", "named", "settings"]

WIDTH = 5
CLASSES = Task("classification", ("a", "b", "c"))
VALUES = Task("regression", offset=10.0, scale=2.0)


class KilledError(Exception):
    """Stands for a process that is killed."""


def network(outputs: int) -> nn.Module:
    """A network from elsewhere, with batch normalisation and dropout."""
    return nn.Sequential(
        *(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, outputs)),
    )


def settings(**changes: Any) -> Training:
    return replace(Training(epochs=3, batch_size=8, learning_rate=1e-2, precision="fp32", device="cpu"), **changes)


@dataclass
class World:
    """A source of three domains and a target, 60 samples each, 6 labelled, and what a method needs to train there."""

    task: Task = CLASSES

    def domain(self, role: Literal["source", "target"]) -> Domain:
        draw = np.random.default_rng(0 if role == "source" else 1)
        inputs = torch.from_numpy(draw.normal(size=(60, WIDTH)).astype(np.float32))
        inputs += 0.5 * (role == "target")
        labels = np.arange(60) % 3 if self.task.is_classification else inputs[:, 0].numpy() * 2 + 10
        inputs[:, 1] += torch.from_numpy(np.asarray(labels, dtype=np.float32))
        order = np.arange(60)
        splits = {"train": order[:34], "selection": order[34:46], "test": order[46:]}
        if role == "target":
            splits |= {"labelled": order[:6], "train": order[6:34]}
        origins = np.array(["first", "second", "third"], object)[np.arange(60) // 5 % 3]
        return Domain(role, role, inputs, labels, self.task, splits, origins=origins)

    def views(self, opened: Sequence[str] = ()) -> dict[str, DomainView]:
        return {"source": self.domain("source").view(), "target": self.domain("target").view(opened)}

    def built(self, method: Method, seed: int = 0) -> tuple[Method, dict[str, Store]]:
        """The method with a student inside, and the stores that it reads; `UsageError` where it does not suit."""
        torch.manual_seed(stream_seed(seed, "init"))
        student = Observed(network(self.task.outputs), method.student_layers())
        stores = self.stores(method)
        spec = next(iter(stores.values())).spec() if stores else Spec(0)
        method.build(student, self.task, student.spec((WIDTH,)), spec)
        return method, stores

    def stores(self, method: Method) -> dict[str, Store]:
        streams = {"source" if stream == "source" else "target" for stream in method.knowledge_streams()}
        draw = torch.Generator().manual_seed(3)
        names = {"logits": self.task.outputs} | dict.fromkeys(sorted(method.knowledge_layers()), 7)
        arrays = {name: torch.randn(60, width, generator=draw) for name, width in names.items()}
        return {stream: Store(Path(), arrays) for stream in sorted(streams)}

    def job(self, folder: Path, make: Callable[[], Method], training: Training | None = None, seed: int = 0) -> Job:
        """A job with everything anew, as in a new process."""
        method, stores = self.built(make(), seed)
        opened = ("train",) if "target_labels" in method.requires() else ()
        views = self.views(opened)
        return Job("row", folder, method, views, stores, training or settings(), seed, scores, "fit", {"by": "test"})

    def train(self, folder: Path, make: Callable[[], Method], **changes: Any) -> dict[str, Any]:
        return train(self.job(folder, make, settings(**changes)))


def scores(source: Tensor, labels: Tensor, target: Tensor, features: Tensor) -> dict[str, float]:
    """Two validators that go up and down."""
    return {"fit": float(torch.sin(7 * source.sum())), "size": float(target.abs().mean())}


def examples(hint: Any) -> list[Any]:
    """Values that a type hint allows, found without knowing what it is for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return examples(arguments[0])
    if origin is Literal:
        return list(arguments)
    if origin in (typing.Union, types.UnionType):
        return [value for arm in arguments for value in examples(arm)]
    if origin is not None and issubclass(origin, Sequence):
        return _lists(arguments[0])
    bases = {room.base: room.name for room in rooms()} | {nn.Module: "networks"}
    if hint in bases:
        return [value for part in parts() if part.room.name == bases[hint] for value in instances(part.cls)]
    return {bool: [True, False], Term: [], type(None): []}.get(hint, [])


def _lists(item: Any) -> list[list[Any]]:
    """All parts of different kinds together, and those that need no classes; with `Term` also weighted in every way."""
    kinds = {type(value): value for value in reversed(examples(item))}
    together = [kinds[kind] for kind in sorted(kinds, key=lambda kind: kind.__name__)]
    lists = [together, [value for value in together if "classes" not in getattr(value, "needs", ())]]
    lists = [values for values in lists if values]
    weights: list[Any] = ["auto", Schedule(start=0.0, end=2.0)] if Term in typing.get_args(item) else []
    return lists + [[Term(value, weight) for value in values] for values in lists for weight in weights]


def instances(cls: type) -> list[Any]:
    """What the signature allows: every needed part or literal; beside the first of them also every optional one."""
    hints = typing.get_type_hints(cls.__init__, include_extras=True)
    needed, optional = [], []
    for name, parameter in inspect.signature(cls).parameters.items():
        values = examples(hints[name])
        if parameter.default is parameter.empty:
            needed.append([(name, value) for value in values])
        else:
            optional += [(name, value) for value in values if value != parameter.default]
    found = []
    for number, chosen in enumerate(itertools.product(*needed)):
        for extra in [None, *(optional if not number else [])]:
            try:
                found.append(cls(**dict(chosen) | (dict([extra]) if extra else {})))
            except UsageError:
                continue  # a distance without a gradient is no loss, and so on
    return found


def methods() -> Iterator[tuple[str, World, Callable[[], Method]]]:
    """Every method in every form that suits one of the two tasks: its name, where it trains, what makes it anew."""
    for part in parts():
        if part.room.base is not Method:
            continue
        for number in range(len(instances(part.cls))):

            def make(cls: type = part.cls, number: int = number) -> Method:
                return instances(cls)[number]

            for task in (CLASSES, VALUES):
                try:
                    World(task).built(make())
                except UsageError:
                    continue
                yield f"{part.name}-{number}-{task.kind}", World(task), make


def named(found: Mapping[str, Any] | Sequence[Any]) -> list[str]:
    """Names for pytest's parameters."""
    return [f"{type(value).__module__.rpartition('.')[2]}-{number}" for number, value in enumerate(found)]
