"""INT8 as an ExecuTorch file, by torchao's quantisation of traced graphs (PT2E) and XNNPACK's quantiser."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from limbeck.core import UsageError
from limbeck.core.files import atomic_path
from limbeck.export import traced
from limbeck.export._export import quiet
from limbeck.export._operators import said
from limbeck.export._xnnpack import check_executorch, write_lowered

__all__ = ["AT_ONCE", "check_installed", "write_static"]

AT_ONCE = 32
"""The largest batch of the file, and of the calibration."""


def check_installed() -> None:
    """`UsageError` where a library is missing."""
    check_executorch("The step quantise with the runtime executorch")


def write_static(network: nn.Module, inputs: Tensor, path: Path) -> None:
    """Weights and activations in INT8: weights by output, activations by tensor as the inputs [n, ...] show them."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    network = copy.deepcopy(network).cpu().eval()
    with atomic_path(path) as made, quiet(), torch.no_grad():
        program = traced(network, inputs, AT_ONCE)
        quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        try:
            watched = prepare_pt2e(program.module(), quantiser)
            for batch in inputs.split(AT_ONCE):
                watched(batch)
            small = convert_pt2e(watched)
        except Exception as error:  # torchao raises many kinds
            raise UsageError(f"torchao cannot quantise {type(network).__name__}: {said(error)}") from error
        write_lowered(traced(small, inputs, AT_ONCE), made)
