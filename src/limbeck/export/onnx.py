"""ONNX: a file that onnxruntime and most other runtimes read."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from limbeck.core import UsageError, bad_value, missing_extra
from limbeck.export import Export, Runner, traced
from limbeck.export._device.predict import onnx_runner
from limbeck.export._export import converting
from limbeck.export._operators import said

__all__ = ["Onnx"]

LARGEST = 2**31 - 2**24
"""So many bytes of weights fit into one file, with the graph beside them."""


class Onnx(Export):
    """`model.onnx`: input `inputs` [batch, ...], output `logits` [batch, outputs], both float32, any batch.

    Nodes are named by their layers. The metadata has the key `limbeck`: the run, the row, the classes (JSON).

    opset: the version of the operators; a lower one for a runtime that is older than onnxruntime 1.18.

    >>> Onnx(opset=18).file
    'model.onnx'
    """

    file: ClassVar[str] = "model.onnx"
    extra: ClassVar[str | None] = "onnx"

    def __init__(self, opset: Annotated[int, Ge(18), Le(23)] = 20, tolerance: Annotated[float, Gt(0)] = 1e-4):
        super().__init__(tolerance)
        if not 18 <= opset <= 23:
            raise bad_value("opset", "onnx", "from 18 to 23", opset)
        self.opset = opset

    def write(self, network: nn.Module, samples: Tensor, path: Path, about: Mapping[str, Any]) -> None:
        _check_installed()
        _check_size(network)
        program = traced(network, samples)
        with converting(program, "ONNX"):
            made = torch.onnx.export(
                program,
                (),
                dynamo=True,
                verbose=False,
                opset_version=self.opset,
                input_names=["inputs"],
                output_names=["logits"],
                dynamic_shapes=({0: "batch"},),
            )
        assert made is not None
        _tidy(made.model)
        made.model.metadata_props["limbeck"] = json.dumps(about, ensure_ascii=False)
        made.save(path, external_data=False)

    def runner(self, path: Path, threads: int = 0) -> Runner:
        _check_installed()
        try:
            return onnx_runner(path, threads)
        except Exception as error:  # onnxruntime has an error class of its own for every status
            raise UsageError(f"onnxruntime cannot run {self.file}: {said(error)}") from error


def _check_installed() -> None:
    for library in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(library) is None:
            raise missing_extra(library, "onnx", "Exporting to ONNX")


def _check_size(network: nn.Module) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers()))
    if size >= LARGEST:
        raise UsageError(
            f"One ONNX file holds less than 2 GB, and the weights of {type(network).__name__} are {size / 1e9:.1f} GB. "
            "Export it as torch_export, or make it smaller before."
        )


def _tidy(model: Any) -> None:
    """Leave out what the exporter notes for its developers, and name each node by its layer."""
    graph = model.graph
    for node in graph:
        scopes = ast.literal_eval(node.metadata_props.get("pkg.torch.onnx.name_scopes", "[]"))
        layer = scopes[-2] if len(scopes) > 1 else ""
        node.name = f"{layer}/{node.name}" if layer else node.name
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.metadata_props.clear()
    model.metadata_props.clear()
