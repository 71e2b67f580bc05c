"""The format in which steps hand over files and are measured: the one that exports have by default, ONNX."""

from __future__ import annotations

import importlib

from limbeck.export import DEFAULT, Export

__all__ = ["onnx_form"]


def onnx_form() -> Export:
    """The export format, found by its file's name as recipes find parts."""
    module = importlib.import_module(f"limbeck.export.{DEFAULT}")
    (public,) = module.__all__
    form: Export = getattr(module, public)()
    return form
