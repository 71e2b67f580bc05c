"""INT8 in training: the grid of NumPy, and the state of the plain network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.compression._rounding import ranges_of, rounded_inputs, rounded_weight, with_rounding


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.0, 2.0), (0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)])
def test_inputs_as_numpy_rounds_them(low: float, high: float) -> None:
    values = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32) * 2
    bottom, top = min(low, 0.0), max(high, 0.0)
    scale = (top - bottom) / 255 or 1.0
    zero = round(-128 - bottom / scale)
    wanted = (np.clip(np.rint(values / np.float32(scale)) + zero, -128, 127) - zero) * np.float32(scale)
    found = rounded_inputs(torch.from_numpy(values), low, high)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
    assert rounded_inputs(torch.zeros(1), low, high).item() == 0.0


def test_weights_as_numpy_rounds_them() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    weight[4] = 0
    scale = np.abs(weight).reshape(5, -1).max(1).reshape(5, 1, 1, 1) / 127
    wanted = np.clip(np.rint(weight / np.where(scale > 0, scale, 1)), -127, 127) * scale
    np.testing.assert_allclose(rounded_weight(torch.from_numpy(weight)).numpy(), wanted, atol=1e-6)


def test_the_gradient_passes_but_where_it_is_clamped() -> None:
    values = torch.tensor([-5.0, 0.2, 0.9, 5.0], requires_grad=True)
    rounded_inputs(values, 0.0, 1.0).sum().backward()
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_a_network_that_rounds_has_the_state_of_the_plain_one() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    inputs = torch.randn(100, 2, 8, 8)
    rounding = with_rounding(network, inputs)
    assert ranges_of(network, ["0"], inputs) == {"0": (float(inputs.min()), float(inputs.max()))}
    assert {k: v.shape for k, v in rounding.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }
    apart = (rounding(inputs) - network(inputs)).abs().max()
    assert 0 < apart < 0.05
    by_hand = nn.functional.conv2d(
        rounded_inputs(inputs, float(inputs.min()), float(inputs.max())),
        rounded_weight(network[0].weight),
        network[0].bias,
    )
    assert rounding[0](inputs).equal(by_hand)
    rounding(inputs).sum().backward()
    assert all(parameter.grad is not None for parameter in rounding.parameters())
