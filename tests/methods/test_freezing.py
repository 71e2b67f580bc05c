"""Which layers a fraction or a list of names freezes."""

from __future__ import annotations

import pytest
import torch
from small_world import network
from torch import Tensor, nn

from limbeck.core import UsageError
from limbeck.methods._freezing import frozen_layers, layers_with_parameters
from limbeck.networks.mlp import Mlp


class Rooted(nn.Module):
    """Has parameters of its own above its layers, as transformers for images have."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1))
        self.body, self.head = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs + self.token))


def test_layers_are_those_that_hold_something_from_the_input_on() -> None:
    assert layers_with_parameters(network(3)) == ["0", "1", "4", "6"]
    assert layers_with_parameters(Rooted()) == ["", "body", "head"]
    statistics = nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2))
    assert layers_with_parameters(statistics) == ["0", "1"]


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.0, 0), (0.24, 0), (0.25, 1), (0.5, 2), (0.99, 3)])
def test_a_fraction_counts_layers_from_the_input_on(fraction: float, count: int) -> None:
    assert frozen_layers(network(3), fraction) == ["0", "1", "4", "6"][:count]


def test_a_name_freezes_what_lies_below_it() -> None:
    made = Mlp(hidden=[4, 4])
    made.build((5,), 3)
    assert frozen_layers(made, ["body"]) == ["body.1", "body.2", "body.4", "body.5"]
    assert frozen_layers(made, ["body.1", "head"]) == ["body.1", "head"]
    with pytest.raises(UsageError, match=r"names no layer: 'bodi'. Did you mean 'body'"):
        frozen_layers(made, ["bodi"])
    with pytest.raises(UsageError, match="freezes every layer"):
        frozen_layers(made, ["body", "head"])


@pytest.mark.parametrize("fraction", [1.0, 1, -0.1])
def test_other_fractions_are_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match="'freeze' of fine_tune must be a fraction"):
        frozen_layers(network(3), fraction)
