"""Choices by measurement: precision, layout of images, and whether compiling pays."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from limbeck.networks import Observed

__all__ = ["Passes", "compile_choice", "faster_passes", "has_bf16", "timed_passes"]

MARGIN = 1.15
"""A choice must be so many times faster than the plain one: a busy machine should not decide."""

TOO_SHORT = 2e-3
"""Seconds of a pass below which there is nothing to choose."""

ROUNDS, BUDGET, SHARE = 10, 1.0, 0.005
"""So many passes of each candidate are timed, or those that fit into so many seconds, or this share of the work."""

AGAIN = 2
"""So many of them at any rate, before another way than the plain one is taken."""

FEWEST = 8
"""At least so many samples of a batch are timed."""

HOPE = 0.4
"""The largest share of a step that compiling is expected to save, before it was tried."""

COMPILING = 40.0
"""The least seconds that compiling takes, before it was tried."""


@dataclass(frozen=True)
class Passes:
    """How a network's passes run: in "fp32" or "bf16", with images "contiguous" or "channels_last"."""

    precision: str = "fp32"
    layout: str = "contiguous"


def has_bf16(device: torch.device) -> bool:
    """Whether this device multiplies in bf16 natively."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False


def faster_passes(
    network: Observed, inputs: Tensor, candidates: Sequence[Passes], ahead: int, backward: bool = True
) -> tuple[Passes, dict[str, float]]:
    """The candidate whose passes are fastest, the first one unless another is clearly faster; and milliseconds of each.

    inputs: [n, ...], one batch on the device of the network, which is copied. candidates: the
    plain one, then the others in the order of hope. ahead: so many passes will be made; measuring
    takes a small share of their time, where need be on a part of the batch and of the first
    candidates alone. backward: with the gradients, as in training.
    """
    plain = candidates[0]
    few = inputs[: max(min(FEWEST, len(inputs)), len(inputs) // 16)]
    begun = timed_passes(network, few, plain, backward)
    first = _after_warm_up(begun)
    whole = first * len(inputs) / len(few)
    budget = min(BUDGET, SHARE * whole * ahead)
    affordable = int(len(inputs) * budget / (2 * whole * len(candidates)))  # a warm-up and a timed pass of each
    some = inputs[: max(len(few), affordable)]
    scale = len(inputs) / len(some)
    runs = {passes: timed_passes(network, some, passes, backward) for passes in candidates}
    if len(some) == len(few):
        runs[plain], seconds = begun, {plain: first}
    else:
        seconds = {plain: _after_warm_up(runs[plain])}
    if seconds[plain] * scale > TOO_SHORT:
        started = time.monotonic()
        for passes in candidates[1:]:
            seconds[passes] = _after_warm_up(runs[passes])
            if time.monotonic() - started > budget:
                break
        for number in range(ROUNDS):  # in turns, and the least counts: what else the machine does only adds to it
            if number >= AGAIN and time.monotonic() - started > budget:
                break
            for passes in [p for p in seconds if seconds[p] < 4 * min(seconds.values())]:
                seconds[passes] = min(seconds[passes], next(runs[passes]))
    best = min(seconds, key=lambda passes: seconds[passes])
    clearly = seconds[plain] * scale > TOO_SHORT and seconds[best] * MARGIN < seconds[plain]
    chosen = best if clearly else plain
    told = {f"{passes.precision} {passes.layout}": round(value * scale * 1e3, 3) for passes, value in seconds.items()}
    return chosen, told


def timed_passes(
    network: Observed, inputs: Tensor, passes: Passes, backward: bool = True, compiled: bool = False
) -> Iterator[float]:
    """Seconds of one pass after another, without end; compiled as a student is, which is the `Observed` one."""
    trial = copy.deepcopy(network).train(backward)
    if passes.layout == "channels_last" and inputs.ndim == 4:
        trial = trial.to(memory_format=torch.channels_last)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    if compiled:
        trial.compile()
    while True:
        start = time.perf_counter()
        autocast = torch.autocast(inputs.device.type, torch.bfloat16, enabled=passes.precision == "bf16")
        with autocast, torch.set_grad_enabled(backward):
            loss = trial(inputs).logits.float().square().mean()
        if backward:
            loss.backward()
        if inputs.device.type == "cuda":
            torch.cuda.synchronize()
        yield time.perf_counter() - start


def compile_choice(
    network: Observed,
    inputs: Tensor,
    passes: Passes,
    steps: int,
    say: Callable[[str], None] = lambda text: None,
    eager: float | None = None,
) -> dict[str, Any]:
    """Whether `torch.compile` pays over so many steps ahead, tried only where it could; with what was measured.

    It is taken where the measured saving over all steps is larger than the time of compiling.
    eager: about the seconds of a pass, where they are known.
    """
    runs = timed_passes(network, inputs, passes)
    eager = _after_warm_up(runs) if eager is None else eager
    if eager * steps * HOPE >= COMPILING:
        eager = _median(runs)
    found: dict[str, Any] = {"compile": False, "steps_ahead": steps, "eager_ms": round(eager * 1e3, 3)}
    if eager * steps * HOPE < COMPILING:
        return {**found, "reason": f"{steps} steps take about {eager * steps:.0f} s: compiling cannot pay"}
    say(f"trying torch.compile: {steps} steps of {eager * 1e3:.1f} ms lie ahead")
    runs = timed_passes(network, inputs, passes, compiled=True)
    try:
        first = next(runs)
    except Exception as error:  # no C++ compiler, or an operation that torch cannot compile: the eager way remains
        return {**found, "reason": f"torch.compile failed ({type(error).__name__}): {str(error).splitlines()[0]}"}
    compiled = _median(runs)
    saving = steps * (eager - compiled)
    found |= {"compiled_ms": round(compiled * 1e3, 3), "compile_s": round(first, 1), "saving_s": round(saving, 1)}
    return {**found, "compile": saving > first, "reason": f"saves {saving:.0f} s and took {first:.0f} s"}


def _after_warm_up(seconds: Iterator[float]) -> float:
    next(seconds)
    return next(seconds)


def _median(seconds: Iterator[float], repeats: int = 5) -> float:
    next(seconds)  # a warm-up
    return statistics.median(next(seconds) for _ in range(repeats))
