"""Choices by measurement: the clearly faster one, the plain one otherwise, and compiling only where it pays."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from limbeck.networks import Observed
from limbeck.training import Passes, _measure, compile_choice, faster_passes, has_bf16

CPU = torch.device("cpu")
PLAIN, BF16, LAST = Passes(), Passes("bf16"), Passes("bf16", "channels_last")
LATE = Passes("fp32", "channels_last")


def timed(monkeypatch: pytest.MonkeyPatch, seconds: dict[Passes, float], compiled: float = 0.0, first: float = 0.0):
    """Passes that take these seconds."""

    def passes_of(network, inputs, passes, backward=True, compile=False, **options) -> Iterator[float]:
        if options.get("compiled"):
            return itertools.chain([first], itertools.repeat(compiled))
        return itertools.repeat(seconds[passes])

    monkeypatch.setattr(_measure, "timed_passes", passes_of)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((0.100, 0.050, 0.040), LAST),
        ((0.100, 0.040, 0.050), BF16),
        ((0.100, 0.095, 0.200), PLAIN),  # not clearly faster
        ((0.001, 0.0001, 0.0001), PLAIN),  # too short to matter
    ],
)
def test_the_clearly_faster_passes_are_taken(monkeypatch, seconds: tuple[float, ...], expected: Passes) -> None:
    timed(monkeypatch, dict(zip((PLAIN, BF16, LAST), seconds, strict=True)))
    chosen, told = faster_passes(Observed(nn.Linear(2, 2)), torch.zeros(4, 2), [PLAIN, BF16, LAST], ahead=10_000)
    assert chosen == expected
    assert told["fp32 contiguous"] == pytest.approx(seconds[0] * 1e3)
    assert len(told) == (1 if seconds[0] < 0.002 else 3)


@pytest.mark.parametrize(("ahead", "samples"), [(1, 10), (160, 16), (100_000, 125)])
def test_measuring_takes_a_small_share_of_the_work(monkeypatch, ahead: int, samples: int) -> None:
    """A pass of n samples takes n milliseconds; what little is timed is told for the whole batch."""
    taken: list[int] = []

    def passes_of(network, inputs, passes, backward=True) -> Iterator[float]:
        while True:
            taken.append(len(inputs))
            yield len(inputs) * (0.001 if passes == PLAIN else 0.0005)

    monkeypatch.setattr(_measure, "timed_passes", passes_of)
    chosen, told = faster_passes(Observed(nn.Linear(2, 2)), torch.zeros(160, 2), [PLAIN, BF16, LAST, LATE], ahead)
    assert chosen == BF16
    whole = {"fp32 contiguous": 160, "bf16 contiguous": 80, "bf16 channels_last": 80, "fp32 channels_last": 80}
    assert told.items() <= whole.items() and (ahead < 100_000 or told == whole)
    assert taken[:2] == [10, 10] and set(taken[2:]) == {samples}


def test_little_work_is_worth_the_first_hope_alone(monkeypatch) -> None:
    def passes_of(network, inputs, passes, backward=True) -> Iterator[float]:
        while True:
            time.sleep(0.004)
            yield 0.004 if passes == PLAIN else 0.002

    monkeypatch.setattr(_measure, "timed_passes", passes_of)
    chosen, told = faster_passes(Observed(nn.Linear(2, 2)), torch.zeros(8, 2), [PLAIN, LAST, BF16, LATE], ahead=10)
    assert chosen == LAST and list(told) == ["fp32 contiguous", "bf16 channels_last"]


def test_one_slow_pass_of_the_plain_way_does_not_change_the_precision(monkeypatch) -> None:
    """The first timing after the warm-up met another process; there is hardly work for which to time more."""

    def passes_of(network, inputs, passes, backward=True) -> Iterator[float]:
        return itertools.chain([0.01, 0.0114] if passes == PLAIN else [], itertools.repeat(0.003))

    monkeypatch.setattr(_measure, "timed_passes", passes_of)
    chosen, told = faster_passes(Observed(nn.Linear(2, 2)), torch.zeros(8, 2), [PLAIN, BF16], ahead=0)
    assert chosen == PLAIN and told["fp32 contiguous"] == pytest.approx(3)


def test_known_passes_are_not_timed_again(monkeypatch) -> None:
    timed(monkeypatch, {PLAIN: 0.5})
    found = compile_choice(Observed(nn.Linear(2, 2)), torch.zeros(4, 2), PLAIN, 10, eager=0.02)
    assert found["eager_ms"] == 20 and found["compile"] is False


@pytest.mark.parametrize("backward", [True, False])
def test_passes_are_really_run_on_a_copy(backward: bool) -> None:
    network = Observed(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    runs = _measure.timed_passes(network, torch.randn(5, 3, 8, 8), Passes("fp32", "channels_last"), backward)
    assert next(runs) > 0 and next(runs) > 0
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("steps", "compiled", "first", "taken"),
    [(10_000, 0.015, 20.0, True), (10_000, 0.019, 20.0, False), (10_000, 0.03, 1.0, False), (10, 0.001, 0.0, False)],
)
def test_compiling_is_taken_where_the_saving_exceeds_its_time(monkeypatch, steps, compiled, first, taken) -> None:
    timed(monkeypatch, {PLAIN: 0.02}, compiled, first)
    found = compile_choice(Observed(nn.Linear(2, 2)), torch.zeros(4, 2), PLAIN, steps)
    assert found["compile"] is taken
    assert found["steps_ahead"] == steps and found["eager_ms"] == pytest.approx(20)
    if steps > 10:
        assert found["saving_s"] == pytest.approx(steps * (0.02 - compiled)) and found["compile_s"] == first
    else:
        assert "compiling cannot pay" in found["reason"] and "compile_s" not in found


COMPILES = """
import torch
from torch._dynamo.utils import counters
from limbeck.networks import Observed
from limbeck.training import Passes, _measure, compile_choice
_measure.HOPE = 1e9
network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))
observed = Observed(network)  # twice observed, as a student inside a method is
found = compile_choice(Observed(network), torch.zeros(4, 2), Passes(), 100)
assert counters["stats"]["unique_graphs"] == 1 and not counters["graph_break"], counters
assert found["compiled_ms"] > 0, found
"""


@pytest.mark.slow
def test_the_trial_is_really_compiled_in_one_graph() -> None:
    """In a process of its own: the checks of shapes that tests add are in the compiler's way."""
    done = subprocess.run([sys.executable, "-c", COMPILES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_a_compiler_training_stays_eager(monkeypatch) -> None:
    def refuse(*arguments, **options):
        raise RuntimeError("no C++ compiler\nand more")

    monkeypatch.setattr(_measure, "HOPE", 1e9)
    monkeypatch.setattr(Observed, "compile", lambda self: setattr(self, "forward", refuse))
    found = compile_choice(Observed(nn.Linear(2, 2)), torch.zeros(4, 2), PLAIN, 100)
    assert found["compile"] is False and found["reason"] == "torch.compile failed (RuntimeError): no C++ compiler"


def test_what_bf16_needs() -> None:
    assert isinstance(has_bf16(CPU), bool)
    assert has_bf16(torch.device("meta")) is False
