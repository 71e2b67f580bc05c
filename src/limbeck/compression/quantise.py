"""INT8: weights, and mostly activations, in eight bits, calibrated on the target, with or without training for it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from limbeck.compression import Compression, Runtime
from limbeck.compression import _int8_executorch as executorch
from limbeck.compression import _int8_onnx as onnx
from limbeck.compression._compression import with_still_zeros
from limbeck.compression._rounding import with_rounding
from limbeck.core import UsageError, bad_value
from limbeck.export import Export
from limbeck.export._export import quiet
from limbeck.networks import evaluating

__all__ = ["Quantise"]


class Quantise(Compression):
    """The network as a file for onnxruntime (ONNX, QDQ) or ExecuTorch (`.pte`), in INT8, by those projects' own tools.

    Weights have a symmetric grid for each output, activations one for each tensor, whose range comes
    from `samples` unlabelled samples of the target. In onnxruntime it is all of it ("minmax"), all but
    the outermost ("percentile"), or the part that changes the distribution least ("entropy", the KL
    divergence); ExecuTorch's quantiser takes the one of least squared error. mode: "post_training"
    changes no weight. "aware" first goes on training with the rounding of the file in place (Jacob et al.
    2018, section 3), taught by the student as it was before. "weight_only", for transformers and other
    networks of large linear layers, rounds the weights of matrix products alone, in blocks of 32 with a
    factor each, to `bits`; it looks at no sample, and onnxruntime runs it. It is the last step: the
    file is the student.

    >>> Quantise(mode="aware", samples=64).form.file, Quantise(runtime="executorch").form.file
    ('model.onnx', 'model.pte')
    """

    by_itself: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {"precision": "fp32", "compile": False}

    def __init__(
        self,
        mode: Literal["post_training", "aware", "weight_only"] = "post_training",
        runtime: Literal["onnxruntime", "executorch"] = "onnxruntime",
        calibration: Literal["minmax", "percentile", "entropy"] = "minmax",
        samples: Annotated[int, Gt(0)] = 256,
        bits: Literal[4, 8] = 8,
    ):
        if samples < 1:
            raise bad_value("samples", "quantise", "≥ 1", samples)
        if runtime == "executorch" and mode == "weight_only":
            raise bad_value("mode", "quantise", "post_training or aware for executorch", mode)
        if runtime == "executorch" and calibration != "minmax":
            raise bad_value("calibration", "quantise", "left out for executorch, which has its own", calibration)
        if bits != 8 and mode != "weight_only":
            raise bad_value("bits", "quantise", f"8 in the mode {mode}", bits)
        self.mode = mode
        self.runs_in: Runtime = runtime
        self.calibration = calibration
        self.samples = samples
        self.bits = bits

    @property
    def runtime(self) -> Runtime:
        return self.runs_in

    @property
    def tuned(self) -> bool:
        return self.mode == "aware"

    def held(self, network: nn.Module, inputs: Tensor) -> nn.Module:
        return with_still_zeros(with_rounding(network, inputs[: self.samples]))

    def check(self, network: nn.Module, inputs: Tensor) -> None:
        if self.runs_in == "executorch":
            executorch.check_installed()
        else:
            onnx.check_onnx()
        if self.mode == "weight_only" and not any(isinstance(layer, nn.Linear) for layer in network.modules()):
            raise UsageError(
                f"{type(network).__name__} has no linear layer whose weights alone could be rounded: use the mode "
                "post_training."
            )
        with tempfile.TemporaryDirectory() as folder, quiet(), torch.no_grad():  # what the runtime does not know
            self._form().write(copy.deepcopy(network).cpu().eval(), inputs, Path(folder) / self._form().file, {})

    def _form(self) -> Export:
        form = self.form
        assert form is not None
        return form

    def write(self, network: nn.Module, inputs: Tensor, path: Path, about: Mapping[str, Any]) -> None:
        check_samples(network, inputs)
        form, inputs = self._form(), inputs[: self.samples]
        if self.runs_in == "executorch":
            executorch.write_static(network, inputs, path)
        elif self.mode == "weight_only":
            onnx.write_weight_only(network, inputs, path, form, about, self.bits)
        else:
            onnx.write_static(network, inputs, path, form, about, self.calibration)


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
