"""The lines of the tables of compression and export, every number as it is printed."""

from __future__ import annotations

from dataclasses import dataclass

from limbeck.reports._numbers import NONE, count, duration, ratio, significant, size
from limbeck.reports._run import Json, Run

__all__ = ["Chain", "Model", "chains", "models"]

NAMES = {"torch": "PyTorch", "onnxruntime": "onnxruntime", "executorch": "ExecuTorch"}


@dataclass(frozen=True)
class StepLine:
    """A row's student before any step, or after one; or its teacher. versus: differences with their intervals."""

    title: str
    teacher: str
    score: str
    versus: list[tuple[str, str]]
    agreement: tuple[str, str]
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
    """The steps of one row; sizes: the batches whose time was measured; taught: whether its teacher is a line."""

    title: str
    runtime: str
    taught: bool
    sizes: list[str]
    lines: list[StepLine]


def chains(run: Run) -> list[Chain]:
    """The compression of every row that has steps."""
    found = (run.results or {}).get("compression", [])
    return [_chain(run, chain) for chain in found]


def _chain(run: Run, chain: Json) -> Chain:
    taught, steps = chain["teacher"] is not None, chain["steps"]
    lines = [chain["teacher"], *steps] if taught else steps
    return Chain(
        run.title(chain["row"]),
        NAMES[chain["runtime"]],
        taught,
        list(steps[0]["latency"]),
        [_line(run, chain, lines[0], line) for line in lines],
    )


def _line(run: Run, chain: Json, first: Json, step: Json) -> StepLine:
    """A line of the table; first: what its size and times are ratios of."""
    seeds = len(run.results["seeds"]) if run.results else 1
    largest = list(step["latency"])[-1]
    others = ["versus_teacher", "versus_student"] if chain["teacher"] is not None else ["versus_student"]
    elsewhere = "" if step["runtime"] == chain["runtime"] else f", by {NAMES[step['runtime']]}"
    comparable = step["runtime"] == first["runtime"]
    return StepLine(
        title=f"{step['title']}{elsewhere}",
        teacher=step["teacher"] or NONE,
        score=run.measure.of(step["target"], seeds),
        versus=[_versus(run, step[other]) for other in others],
        agreement=_agreement(step["agreement"]),
        size=size(step["bytes"]),
        smaller=ratio(step["bytes"], first["bytes"]),
        multiply_adds=count(step["multiply_adds"]),
        nonzero=count(step["nonzero"]),
        times=[(significant(own["median"], 2), significant(own["p95"], 2)) for own in step["latency"].values()],
        faster=ratio(step["latency"][largest]["median"], first["latency"][largest]["median"]) if comparable else NONE,
        memory=size(step["peak_memory"]),
        training=duration(step["train_seconds"]),
    )


def _versus(run: Run, versus: Json | None) -> tuple[str, str]:
    return (NONE, "") if versus is None else run.measure.difference(versus["difference"], versus["low"], versus["high"])


def _agreement(share: Json | None) -> tuple[str, str]:
    if share is None:
        return NONE, ""
    return f"{100 * share['mean']:.1f} %", f"{100 * share['low']:.1f} to {100 * share['high']:.1f}"


@dataclass(frozen=True)
class Model:
    """An exported file against the student; times: of the file and of PyTorch, by batch size."""

    file: str
    size: str
    difference: str
    agreement: tuple[str, str]
    samples: str
    times: list[tuple[str, str]]


def models(run: Run) -> list[Model]:
    """The files of the run's export."""
    return [_model(model) for model in (run.export or {}).get("models", [])]


def _model(model: Json) -> Model:
    parity = model["parity"]
    share = parity["agreement"]
    low, high = parity["interval"] or (None, None)
    return Model(
        file=model["file"],
        size=size(model["bytes"]),
        difference=f"{parity['difference']:.1g}",
        agreement=_agreement(None if share is None else {"mean": share, "low": low, "high": high}),
        samples=count(parity["samples"]),
        times=[
            (significant(own["median"], 2), f"PyTorch {significant(parity['pytorch'][batch]['median'], 2)}")
            for batch, own in parity["file"].items()
        ],
    )
