"""A source-free training has no source: whatever asks for it is told so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from small_world import World, settings
from torch import Tensor, nn

from limbeck.core import Batch, DomainView, Knowledge, UsageError
from limbeck.methods import Method, Stream, Update
from limbeck.methods.source_only import SourceOnly
from limbeck.training import train
from limbeck.training._visible import visible_domains

WORLD = World()
TOLD = r"The source is not there: the method says that it is source-free"


class Certain(Method):
    """Makes its answers certain, on the target."""

    streams: ClassVar[tuple[Stream, ...]] = ("target",)
    source_free: ClassVar[bool] = True

    def updates(self, batches: Mapping[str, Batch], knowledge: Mapping[str, Knowledge]) -> list[Update]:
        logits = self.student(batches["target"].inputs).logits
        return [Update({"entropy": nn.functional.cross_entropy(logits, logits.softmax(1))})]


class Greedy(Certain):
    """Says that it is source-free, and reads the source."""

    streams: ClassVar[tuple[Stream, ...]] = ("source", "target")


class Trap(DomainView):
    """A source of which nothing may be touched."""

    def __getattribute__(self, name: str):
        raise AssertionError(f"{name} of the source was read")


def job(folder: Path, method: Method, **more):
    made = WORLD.job(folder, lambda: method, settings(epochs=2))
    return replace(made, **more)


def test_neither_a_step_nor_the_choice_of_the_checkpoint_touches_the_source(tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []

    def validate(source: Tensor, labels: Tensor, target: Tensor, features: Tensor) -> dict[str, float]:
        seen.append((len(source), len(labels), len(target), len(features)))
        return {"fit": float(target.sum())}

    domains = {"source": object.__new__(Trap), "target": WORLD.domain("target").view()}
    done = train(job(tmp_path, Certain(), domains=domains, validate=validate))
    assert seen == [(0, 0, 12, 12)] * 2 and done["validators"].keys() == {"fit"}


def test_the_trap_is_one(tmp_path: Path) -> None:
    domains = {"source": object.__new__(Trap), "target": WORLD.domain("target").view()}
    with pytest.raises(AssertionError, match="of the source was read"):
        train(job(tmp_path, SourceOnly(), domains=domains))


def test_a_method_that_reads_it_all_the_same_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=TOLD):
        train(job(tmp_path, Greedy()))


def test_what_is_visible() -> None:
    views = WORLD.views()
    assert visible_domains(views, SourceOnly()) is views
    found = visible_domains(views, Certain())
    assert dict(found) == {"target": views["target"]}
    with pytest.raises(UsageError, match=TOLD):
        found["source"]
