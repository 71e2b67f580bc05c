"""What a student costs in a runtime, before and after a step: all lines of one table by the same runtime."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.compression._counts import multiply_adds, network_bytes, nonzero_parameters, peak_memory
from limbeck.compression._forms import Runtime, form_of
from limbeck.core import RunError
from limbeck.export import export_network, latency
from limbeck.networks import evaluating

__all__ = ["Costs", "costs_of"]

BATCHES = (1, 32)
"""The batch sizes whose time is measured; memory is that of the largest."""


@dataclass(frozen=True)
class Costs:
    """What a student costs. parameters: and how many of them are not 0. bytes: of the weights, or of the file.

    multiply_adds: of one sample. latency: milliseconds of one call by batch size, "median" and "p95", on one
    thread. peak_memory: bytes for a batch of 32: counted (weights and living tensors) in torch; else
    what loading and running the file adds to a process; None where that cannot be told.
    """

    runtime: Runtime
    parameters: int
    nonzero: int
    bytes: int
    multiply_adds: int
    latency: dict[str, dict[str, float]]
    peak_memory: int | None

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def costs_of(network: nn.Module, inputs: Tensor, runtime: Runtime, file: Path | None = None) -> Costs:
    """Measure a network on samples [n, ...] in a runtime; file: what it has become, where it is written already."""
    sized = {size: inputs[torch.arange(size) % len(inputs)].contiguous() for size in BATCHES}
    form = form_of(runtime)
    if form is None:
        times, size = _timed(network, sized), network_bytes(network)
        memory: int | None = peak_memory(network, sized[max(BATCHES)])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            if file is None:
                export_network(network, inputs, Path(scratch), form)
                file = Path(scratch) / form.file
            run = form.runner(file, threads=1)
            times = {str(n): asdict(latency(_call(run, batch.numpy()))) for n, batch in sized.items()}
            size = file.stat().st_size
            memory = _memory_of_file(runtime, file, list(sized[max(BATCHES)].shape))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    count = multiply_adds(network, inputs)
    return Costs(runtime, parameters, nonzero_parameters(network), size, count, times, memory)


def _timed(network: nn.Module, sized: dict[int, Tensor]) -> dict[str, dict[str, float]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with evaluating(network), torch.no_grad():
            return {str(size): asdict(latency(_call(network, batch))) for size, batch in sized.items()}
    finally:
        torch.set_num_threads(threads)


def _call(run: Callable[[Any], object], batch: Any) -> Callable[[], object]:
    return lambda: run(batch)


_RUN = {
    "onnxruntime": """
import onnxruntime
def run(file, batch):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    session.run(None, {session.get_inputs()[0].name: batch})
""",
    "executorch": """
import executorch.runtime, limbeck.export.executorch
def run(file, batch):
    limbeck.export.executorch.Executorch().runner(pathlib.Path(file), 1)(batch)
""",
}
"""How a file is loaded and run, by its runtime; what is imported for it is no part of its memory."""

_CHILD = """
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, at what is held now
before = peak()
run(sys.argv[1], numpy.zeros([int(size) for size in sys.argv[2:]], numpy.float32))
print(peak() - before)
"""


def _memory_of_file(runtime: Runtime, file: Path, shape: list[int]) -> int | None:
    """By how many bytes loading and running a file raises the peak of a process of its own; None but on Linux."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    code = f"import pathlib, sys, numpy\n{_RUN[runtime]}{_CHILD}"
    result = subprocess.run([sys.executable, "-c", code, str(file), *map(str, shape)], capture_output=True, text=True)
    if result.returncode:
        raise RunError(f"The memory of {file.name} cannot be measured: {result.stderr.strip().splitlines()[-1]}")
    return int(result.stdout.split()[-1])
