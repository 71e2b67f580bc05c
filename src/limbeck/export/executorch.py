"""ExecuTorch (`.pte`): for phones and other small devices, by XNNPACK's kernels on their processors."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from limbeck.core import UsageError, bad_value
from limbeck.export import Export, Runner, traced
from limbeck.export._operators import said
from limbeck.export._xnnpack import check_executorch, write_lowered

__all__ = ["Executorch"]

EXPORTING = "Exporting to ExecuTorch"


class Executorch(Export):
    """`model.pte`: the method `forward`, float32 [batch, ...] → [batch, outputs], batches from 1 to `largest`.

    largest: for how many samples at once memory is planned ahead; the runtime holds as much.

    >>> Executorch(largest=8).file
    'model.pte'
    """

    file: ClassVar[str] = "model.pte"
    extra: ClassVar[str | None] = "executorch"

    def __init__(self, largest: Annotated[int, Ge(2)] = 32, tolerance: Annotated[float, Gt(0)] = 1e-4):
        super().__init__(tolerance)
        if largest < 2:
            raise bad_value("largest", "executorch", "≥ 2", largest)
        self.largest = largest

    def write(self, network: nn.Module, samples: Tensor, path: Path, about: Mapping[str, Any]) -> None:
        check_executorch(EXPORTING)
        write_lowered(traced(network, samples, self.largest), path)

    def runner(self, path: Path, threads: int = 0) -> Runner:
        check_executorch(EXPORTING)
        from executorch.runtime import Runtime

        try:
            program = Runtime.get().load_program(path)
            method = program.load_method("forward")
        except Exception as error:  # the runtime raises bare RuntimeErrors
            raise UsageError(f"ExecuTorch cannot run {self.file}: {said(error)}") from error
        if method is None:
            raise UsageError(f"{self.file} has no method 'forward'.")
        at_once = program.metadata("forward").input_tensor_meta(0).sizes()[0]
        one_at_a_time = threading.Lock()  # a method has one memory

        def run(inputs: np.ndarray) -> np.ndarray:
            with one_at_a_time:
                parts = torch.from_numpy(np.ascontiguousarray(inputs)).split(at_once)
                return torch.cat([method.execute((part,))[0].clone() for part in parts]).numpy()

        return run
