from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Gt
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from limbeck.core import RunError, UsageError, bad_value
from limbeck.core.files import atomic_path
from limbeck.export._operators import said, unknown_operator
from limbeck.export._parity import Parity, compare

__all__ = ["Export", "Runner", "export_network", "traced"]

Runner = Callable[[np.ndarray], np.ndarray]
"""A network at work in some runtime: float32 [n, ...] → float32 [n, outputs]."""

TRACED = 32
"""The batch that is traced. Below 16 the choice of a convolution's kernel would bound the batch of the file."""


class Export(ABC):
    """The base of the room: a network into one file, and that file at work in its own runtime.

    tolerance: how far the file may be from PyTorch, `|file − PyTorch| / max(1, |PyTorch|)` of every output. file:
    its name. extra: which of limbeck's extras brings its libraries, None where all have them.
    """

    file: ClassVar[str]
    extra: ClassVar[str | None] = None

    def __init__(self, tolerance: Annotated[float, Gt(0)] = 1e-4):
        if not tolerance > 0:
            raise bad_value("tolerance", type(self).__module__.rpartition(".")[2], "> 0", tolerance)
        self.tolerance = tolerance

    @abstractmethod
    def write(self, network: nn.Module, samples: Tensor, path: Path, about: Mapping[str, Any]) -> None:
        """Write a network that is in evaluation mode, on the CPU; `about` (JSON) goes into the file where it can."""

    @abstractmethod
    def runner(self, path: Path, threads: int = 0) -> Runner:
        """The file in its runtime, for any number of samples at once. threads: of one operator, 0 for the default."""


def export_network(
    network: nn.Module, samples: Tensor, folder: Path, form: Export, about: Mapping[str, Any] | None = None
) -> Parity:
    """Write `form.file` into the folder, run it on the samples, and compare it with the network itself.

    network: [n, ...] → [n, outputs]; it is copied and left as it was. samples: real inputs [n, ...], as the network
    reads them; 256 are plenty. about: what the file shall say of itself. `UsageError` names the operator that the
    format does not know and its layer, `RunError` says where the file differs; then nothing is written.

    >>> import tempfile
    >>> from limbeck.export.torch_export import TorchExport
    >>> network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> parity = export_network(network, torch.randn(40, 3), Path(tempfile.mkdtemp()), TorchExport())
    >>> parity.samples, parity.difference < 1e-4, parity.agreement
    (40, True, 1.0)
    """
    if not len(samples):
        raise UsageError("An exported file is compared with the network on samples, and there are none.")
    network, samples = copy.deepcopy(network).cpu().eval(), samples.detach().cpu()
    with atomic_path(folder / form.file) as path, quiet(), torch.no_grad():
        form.write(network, samples, path, about or {})
        parity = compare(form.runner(path, threads=1), network, samples)
        if not parity.difference <= form.tolerance:
            raise RunError(
                f"{form.file} differs from the student by {parity.difference:.2g} on {parity.samples} samples, where "
                f"{form.tolerance:g} is allowed ('tolerance'). Nothing was written."
            )
    return parity


def traced(network: nn.Module, samples: Tensor, largest: int | None = None) -> ExportedProgram:
    """The network as a graph that takes batches from 1 to `largest`, None for any; `UsageError` where it has none."""
    rows = torch.arange(min(TRACED, largest or TRACED)) % len(samples)
    batch = Dim("batch", min=1, max=largest)
    try:
        program = torch.export.export(network, (samples[rows],), dynamic_shapes=({0: batch},))
    except Exception as error:  # torch raises many kinds here, some of them its own internal ones
        raise UsageError(
            f"{type(network).__name__} cannot be traced with a batch of any size: {said(error)} Its forward must not "
            "fix the batch, nor decide by the values of its inputs."
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names the files of the machine that exported
    return program


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporters log graphs and advice to their developers; what they raise is told."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def converting(program: ExportedProgram, form: str) -> Iterator[None]:
    """A failure inside the block as a `UsageError` that names the operator and its layer."""
    try:
        yield
    except Exception as error:  # each library has its own kinds
        raise unknown_operator(program, error, form) from error
