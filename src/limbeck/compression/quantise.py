"""INT8: weights and activations in eight bits, calibrated on the target, with or without training for it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from limbeck.compression import Compression
from limbeck.compression._compression import with_still_zeros
from limbeck.compression._onnx import onnx_form
from limbeck.compression._rounding import with_rounding
from limbeck.core import UsageError, bad_value, missing_extra
from limbeck.core.files import atomic_path
from limbeck.export import Runner, export_network
from limbeck.export._export import quiet
from limbeck.networks import evaluating

__all__ = ["Quantise"]

AT_ONCE = 32
"""So many samples are calibrated on together."""

Calibration = Literal["minmax", "percentile", "entropy"]


class Quantise(Compression):
    """The network as an ONNX file whose weights and activations are INT8 (QDQ), for onnxruntime and other runtimes.

    Weights have a symmetric grid for each output, activations one for each tensor, whose range comes
    from `samples` unlabelled samples of the target: all of it ("minmax"), all but the outermost
    ("percentile"), or the part that changes the distribution least ("entropy", the KL divergence);
    the file is made by onnxruntime's own tools. mode: "post_training" changes no weight. "aware" first goes
    on training with the rounding of the file in place (Jacob et al. 2018, section 3), taught by the
    student as it was before. It is the last step: the file is the student.

    >>> Quantise(mode="aware", samples=64).file
    'model.onnx'
    """

    file: ClassVar[str | None] = "model.onnx"
    by_itself: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {"precision": "fp32", "compile": False}

    def __init__(
        self,
        mode: Literal["post_training", "aware"] = "post_training",
        calibration: Calibration = "minmax",
        samples: Annotated[int, Gt(0)] = 256,
    ):
        if samples < 1:
            raise bad_value("samples", "quantise", "≥ 1", samples)
        self.mode = mode
        self.calibration = calibration
        self.samples = samples

    @property
    def tuned(self) -> bool:
        return self.mode == "aware"

    def held(self, network: nn.Module, inputs: Tensor) -> nn.Module:
        return with_still_zeros(with_rounding(network, inputs[: self.samples]))

    def check(self, network: nn.Module, inputs: Tensor) -> None:
        _tools()

    def write(self, network: nn.Module, inputs: Tensor, path: Path) -> None:
        check_samples(network, inputs)
        inputs = inputs[: self.samples]
        tools, prepare = _tools()
        kinds = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
        with tempfile.TemporaryDirectory() as scratch, atomic_path(path) as made:
            folder = Path(scratch)
            form = onnx_form()
            export_network(network, inputs, folder, form)
            with quiet(), contextlib.redirect_stdout(io.StringIO()), _failures(network):
                prepare.quant_pre_process(folder / form.file, folder / "ready.onnx", skip_symbolic_shape=True)
                tools.quantize_static(
                    *(str(folder / "ready.onnx"), str(made), _reader(tools, inputs)),
                    quant_format=tools.QuantFormat.QDQ,
                    per_channel=True,
                    activation_type=tools.QuantType.QInt8,
                    weight_type=tools.QuantType.QInt8,
                    calibrate_method=getattr(tools.CalibrationMethod, kinds[self.calibration]),
                )

    def runner(self, path: Path, threads: int = 0) -> Runner:
        return onnx_form().runner(path, threads)


def _tools() -> tuple[Any, Any]:
    """onnxruntime's quantisation, and what prepares a model for it."""
    for library in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(library) is None:
            raise missing_extra(library, "onnx", "The step quantise")
    package = "onnxruntime.quantization"
    return importlib.import_module(package), importlib.import_module(f"{package}.shape_inference")


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


@contextlib.contextmanager
def _failures(network: nn.Module) -> Iterator[None]:
    """What onnxruntime's tools raise, as a `UsageError`."""
    try:
        yield
    except Exception as error:  # they raise bare Exceptions, ValueErrors and classes of their own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f"onnxruntime cannot quantise {type(network).__name__}: {reason}") from error


def check_samples(network: nn.Module, inputs: Tensor) -> None:
    """`UsageError` where calibration samples are missing, not finite, or of a shape that the network does not read."""
    if not len(inputs):
        raise UsageError("quantise calibrates on samples of the target, and there are none.")
    if not bool(inputs.isfinite().all()):
        raise UsageError("quantise calibrates on samples of the target, and some of their values are not finite.")
    try:
        with evaluating(network), torch.no_grad():
            network(inputs[:2])
    except (RuntimeError, ValueError, IndexError) as error:
        raise UsageError(
            f"quantise calibrates on samples as {type(network).__name__} reads them. It cannot read samples of shape "
            f"{list(inputs.shape[1:])}: {str(error).splitlines()[0]}"
        ) from error
