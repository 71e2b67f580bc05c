"""The operator that a converter does not know is found in what it says, with the layer where it stands."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from limbeck.export import traced
from limbeck.export._operators import said, unknown_operator


class Rounding(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.special.entr(inputs.abs()).sin()


NETWORK = nn.Sequential(nn.Linear(3, 3), Rounding(), nn.Linear(3, 2)).eval()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("No ONNX function found for <OpOverload(op='aten.sin', overload='default')>", "aten.sin of the layer '1'"),
        ("missing aten::sin.out in the runtime", "aten.sin of the layer '1' (Rounding)"),
        ("prims.entr has no decomposition", "aten.special_entr of the layer '1'"),
        ("Operator torch._ops.aten.linear.default is odd", "aten.linear of the layer '0' (Linear)"),
    ],
)
def test_it_is_named(text: str, wanted: str) -> None:
    program = traced(NETWORK, torch.randn(3, 3))
    outer = RuntimeError("it failed")
    outer.__cause__ = RuntimeError(text)
    assert f"Some does not know the operator {wanted}" in str(unknown_operator(program, outer, "Some"))


@pytest.mark.parametrize("text", ["aten.asin is unknown", "sin is unknown", "\x1b[96mno memory\x1b[0m\nat all"])
def test_where_none_is_named_the_first_line_is_told(text: str) -> None:
    error = unknown_operator(traced(NETWORK, torch.randn(3, 3)), RuntimeError(text), "Some")
    assert str(error).startswith("Some cannot take this network: ") and "\x1b" not in str(error)
    assert said(RuntimeError("")) == "RuntimeError."
