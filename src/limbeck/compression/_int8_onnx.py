"""INT8 as an ONNX file, by onnxruntime's own tools."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from limbeck.core import UsageError, missing_extra
from limbeck.core.files import atomic_path
from limbeck.export import Export, export_network
from limbeck.export._export import quiet

__all__ = ["check_onnx", "write_static", "write_weight_only"]

AT_ONCE = 32
"""So many samples are calibrated on together."""

KINDS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
BLOCK = 32
"""So many weights share a factor where weights alone are rounded."""


def check_onnx() -> None:
    """`UsageError` where a library is missing."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(library) is None:
            raise missing_extra(library, "onnx", "The step quantise")


def write_static(
    network: nn.Module, inputs: Tensor, path: Path, form: Export, about: Mapping[str, Any], calibration: str
) -> None:
    """Weights and activations in INT8 (QDQ): weights by output, activations by tensor as calibrated on the inputs."""
    tools, prepare = _tools(""), _tools(".shape_inference")
    with _exported(network, inputs, path, form, about) as (plain, made):
        ready = plain.with_name("ready.onnx")
        prepare.quant_pre_process(plain, ready, skip_symbolic_shape=True)
        tools.quantize_static(
            *(str(ready), str(made), _reader(tools, inputs)),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            activation_type=tools.QuantType.QInt8,
            weight_type=tools.QuantType.QInt8,
            calibrate_method=getattr(tools.CalibrationMethod, KINDS[calibration]),
        )


def write_weight_only(
    network: nn.Module, inputs: Tensor, path: Path, form: Export, about: Mapping[str, Any], bits: int
) -> None:
    """The weights of matrix products in 4 or 8 bits, in blocks; everything else as it was."""
    tools, models = _tools(".matmul_nbits_quantizer"), _tools(".onnx_model")
    with _exported(network, inputs, path, form, about) as (plain, made):
        model = models.ONNXModel(importlib.import_module("onnx").load(plain))
        model.replace_gemm_with_matmul()  # the tool knows matrix products alone
        settings = tools.DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, bits=bits)
        rounding = tools.MatMulNBitsQuantizer(model.model, algo_config=settings)
        rounding.process()
        rounding.model.save_model_to_file(str(made), False)


def _tools(part: str) -> Any:
    return importlib.import_module(f"onnxruntime.quantization{part}")


@contextlib.contextmanager
def _exported(
    network: nn.Module, inputs: Tensor, path: Path, form: Export, about: Mapping[str, Any]
) -> Iterator[tuple[Path, Path]]:
    """The network as a plain file, and where the block writes the small one, which then says the same of itself.

    What onnxruntime's tools raise becomes a `UsageError`.
    """
    onnx: Any = importlib.import_module("onnx")
    with tempfile.TemporaryDirectory() as scratch, atomic_path(path) as made:
        export_network(network, inputs, Path(scratch), form, about)
        plain = Path(scratch) / form.file
        with quiet(), contextlib.redirect_stdout(io.StringIO()):
            try:
                yield plain, made
            except Exception as error:  # they raise bare Exceptions, ValueErrors and classes of their own
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise UsageError(f"onnxruntime cannot quantise {type(network).__name__}: {reason}") from error
        small, said = onnx.load(made), onnx.load(plain, load_external_data=False).metadata_props
        onnx.helper.set_model_props(small, {entry.key: entry.value for entry in said})
        onnx.save(small, made)


def _reader(tools: Any, inputs: Tensor) -> Any:
    class Samples(tools.CalibrationDataReader):
        """The calibration samples, in batches, under the name of the file's input."""

        def __init__(self) -> None:
            size = min(AT_ONCE, len(inputs))
            whole = inputs[: len(inputs) // size * size].contiguous()  # the histograms need batches of one size
            self.batches = iter([{"inputs": batch.numpy()} for batch in whole.split(size)])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    return Samples()
