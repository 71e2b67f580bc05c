"""PyTorch's own format (`.pt2`): the graph and the weights, to be run by torch without the class of the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.core import UsageError
from limbeck.export import Export, Runner, traced
from limbeck.export._export import quiet
from limbeck.export._operators import said

__all__ = ["TorchExport"]


class TorchExport(Export):
    """`model.pt2` by `torch.export`, for a batch of any size; what limbeck says of it lies inside as `limbeck.json`.

    Where it runs: PyTorch ≥ 2.11, `torch.export.load("model.pt2").module()`.

    >>> TorchExport().file
    'model.pt2'
    """

    file: ClassVar[str] = "model.pt2"

    def write(self, network: nn.Module, samples: Tensor, path: Path, about: Mapping[str, Any]) -> None:
        program = traced(network, samples)
        torch.export.save(program, path, extra_files={"limbeck.json": json.dumps(about, ensure_ascii=False)})

    def runner(self, path: Path, threads: int = 0) -> Runner:
        try:
            with quiet():
                module = torch.export.load(path).module()
        except Exception as error:  # torch raises many kinds here
            raise UsageError(f"PyTorch cannot run {self.file}: {said(error)}") from error

        def run(inputs: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return module(torch.from_numpy(np.ascontiguousarray(inputs))).numpy()

        return run
