"""The lines of the compression table, every number as it is printed."""

from __future__ import annotations

from dataclasses import dataclass

from limbeck.reports._numbers import NONE, count, duration, ratio, significant, size
from limbeck.reports._run import Json, Run

__all__ = ["Chain", "chains"]

NAMES = {"torch": "PyTorch", "onnxruntime": "onnxruntime"}


@dataclass(frozen=True)
class StepLine:
    """A row's student before any step, or after one."""

    title: str
    teacher: str
    score: str
    difference: str
    interval: str
    agreement: str
    size: str
    smaller: str
    multiply_adds: str
    nonzero: str
    times: list[tuple[str, str]]
    faster: str
    memory: str
    training: str


@dataclass(frozen=True)
class Chain:
    """The steps of one row; sizes: the batches whose time was measured."""

    title: str
    runtime: str
    sizes: list[str]
    lines: list[StepLine]


def chains(run: Run) -> list[Chain]:
    """The compression of every row that has steps."""
    found = (run.results or {}).get("compression", [])
    return [
        Chain(
            run.title(chain["row"]),
            NAMES[chain["runtime"]],
            list(chain["steps"][0]["latency"]),
            [_line(run, chain["steps"][0], step) for step in chain["steps"]],
        )
        for chain in found
    ]


def _line(run: Run, first: Json, step: Json) -> StepLine:
    versus, agreement = step["versus_student"], step["agreement"]
    difference, interval = NONE, ""
    if versus is not None:
        difference, interval = run.measure.difference(versus["difference"], versus["low"], versus["high"])
    seeds = len(run.results["seeds"]) if run.results else 1
    score = step["score"]
    largest = list(step["latency"])[-1]
    return StepLine(
        title=step["title"],
        teacher=step["teacher"] or NONE,
        score=run.measure.spread(score["mean"], score["std"] if seeds > 1 else None) if score else NONE,
        difference=difference,
        interval=interval,
        agreement=NONE if agreement is None else f"{100 * agreement['mean']:.1f} %",
        size=size(step["bytes"]),
        smaller=ratio(step["bytes"], first["bytes"]),
        multiply_adds=count(step["multiply_adds"]),
        nonzero=count(step["nonzero"]),
        times=[(significant(own["median"], 2), significant(own["p95"], 2)) for own in step["latency"].values()],
        faster=ratio(step["latency"][largest]["median"], first["latency"][largest]["median"]),
        memory=size(step["peak_memory"]),
        training=duration(step["train_seconds"]),
    )
