"""The runtimes that students are measured in, and the formats of their files."""

from __future__ import annotations

import importlib
from typing import Literal

from limbeck.export import Export

__all__ = ["Runtime", "form_of"]

Runtime = Literal["torch", "onnxruntime", "executorch"]

_FORMATS: dict[Runtime, str] = {"onnxruntime": "onnx", "executorch": "executorch"}


def form_of(runtime: Runtime) -> Export | None:
    """The export format that a runtime reads, found by its file's name as recipes find parts; None for torch."""
    if runtime not in _FORMATS:
        return None
    module = importlib.import_module(f"limbeck.export.{_FORMATS[runtime]}")
    (public,) = module.__all__
    form: Export = getattr(module, public)()
    return form
