"""The perceptron's layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from limbeck.core import UsageError
from limbeck.networks.mlp import Mlp


def built(**settings) -> Mlp:
    network = Mlp(**settings)
    network.build((3, 2), 4)
    return network


def test_without_hidden_layers_it_is_linear() -> None:
    network, inputs = built(hidden=[]), torch.randn(5, 3, 2)
    assert torch.allclose(network(inputs), inputs.flatten(1) @ network.head.weight.T + network.head.bias, atol=1e-6)


def test_its_layers_are_as_asked() -> None:
    network = built(hidden=[8, 5], dropout=0.2)
    kinds = [type(layer).__name__ for layer in network.body]
    assert kinds == ["Flatten", *["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2]
    assert [layer.out_features for layer in network.body if isinstance(layer, nn.Linear)] == [8, 5]
    plain = built(hidden=[8], batch_norm=False)
    assert [type(layer).__name__ for layer in plain.body] == ["Flatten", "Linear", "ReLU"]
    assert plain.body[1].bias is not None and network.body[1].bias is None  # normalisation takes a bias away


def test_the_number_of_parameters() -> None:
    assert sum(p.numel() for p in built(hidden=[8], batch_norm=False).parameters()) == 6 * 8 + 8 + 8 * 4 + 4


def test_a_width_of_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="'hidden' of mlp must be positive widths"):
        Mlp(hidden=[8, 0])
