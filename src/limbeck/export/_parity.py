"""A file against the network that it was made of: how far apart, how often another answer, how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.evaluation import wilson
from limbeck.networks import evaluating

__all__ = ["Latency", "Parity", "compare", "latency"]

BATCHES = (1, 32)
REPEATS, SECONDS = 100, 1.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call: the median, and what 95 % of the calls stay under."""

    median: float
    p95: float


@dataclass(frozen=True)
class Parity:
    """How a file compares with PyTorch on real samples.

    difference: the largest `|file − PyTorch| / max(1, |PyTorch|)` of any output, NaN where either is. agreement:
    the share of samples with the same largest output, None for a single output. file, pytorch: the latency by batch
    size, on one thread where the runtime lets it choose.
    """

    samples: int
    difference: float
    agreement: float | None
    file: Mapping[int, Latency]
    pytorch: Mapping[int, Latency]

    @property
    def interval(self) -> list[float] | None:
        """Where the share of equal answers lies among all samples, with 95 % confidence."""
        return None if self.agreement is None else list(wilson(self.agreement, self.samples))

    def state(self) -> dict[str, Any]:
        """As JSON."""
        found = {**asdict(self), "interval": self.interval}
        return {**found, **{side: {str(k): v for k, v in found[side].items()} for side in ("file", "pytorch")}}


def compare(runner: Callable[[np.ndarray], np.ndarray], network: nn.Module, samples: Tensor) -> Parity:
    """Run both on the samples [n, ...]: the first alone, the others in batches of 32.

    >>> network = nn.Linear(3, 2)
    >>> compare(lambda x: network(torch.from_numpy(x)).detach().numpy(), network, torch.randn(5, 3)).difference
    0.0
    """
    batches = [samples[:1], *samples[1:].split(max(BATCHES))]
    with evaluating(network), torch.no_grad():
        wanted = torch.cat([network(batch) for batch in batches]).double().numpy()
        found = np.concatenate([runner(_array(batch)) for batch in batches]).astype(np.float64)
        apart = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
        several = wanted.shape[1] > 1
        sized = {size: samples[torch.arange(size) % len(samples)].contiguous() for size in BATCHES}
        arrays = {size: _array(batch) for size, batch in sized.items()}
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            times = {size: latency(lambda size=size: runner(arrays[size])) for size in BATCHES}  # type: ignore[misc]
            own = {size: latency(lambda size=size: network(sized[size])) for size in BATCHES}  # type: ignore[misc]
        finally:
            torch.set_num_threads(threads)
    same = float((found.argmax(1) == wanted.argmax(1)).mean()) if several else None
    return Parity(len(samples), float(apart.max()), same, times, own)


def latency(call: Callable[[], object]) -> Latency:
    """Milliseconds of a call: 100 times, or as often as a second allows, but at least 10 times; 3 before to warm up.

    >>> latency(lambda: None).median < 1
    True
    """
    for _ in range(3):
        call()
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 10 or (len(times) < REPEATS and time.perf_counter() - begun < SECONDS):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return Latency(*(round(float(np.percentile(times, share)), 4) for share in (50, 95)))


def _array(batch: Tensor) -> np.ndarray:
    return np.ascontiguousarray(batch.numpy())
