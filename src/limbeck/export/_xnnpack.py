"""What ExecuTorch's files have in common: the lowering to XNNPACK's kernels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from torch.export import ExportedProgram

from limbeck.core import missing_extra
from limbeck.export._export import converting

__all__ = ["check_executorch", "write_lowered"]


def check_executorch(what: str) -> None:
    """`UsageError` where the library is missing."""
    if importlib.util.find_spec("executorch") is None:
        raise missing_extra("executorch", "executorch", what)


def write_lowered(program: ExportedProgram, path: Path) -> None:
    """Write a traced network as a `.pte` file; `UsageError` names what ExecuTorch does not know."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    with converting(program, "ExecuTorch"):
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch()
    path.write_bytes(lowered.buffer)
