"""The denoising network: its sizes, and what its head reads."""

from __future__ import annotations

import pytest
import torch

from limbeck.core import UsageError
from limbeck.networks import Observed
from limbeck.networks.denoising import Denoising


def test_the_head_reads_the_input_and_every_layer() -> None:
    network = Denoising(layers=2, width=3)
    network.build((2, 2), 5)
    x = torch.randn(7, 2, 2)
    first = (x.flatten(1) @ network.body[0].weight.T + network.body[0].bias).tanh()
    second = (first @ network.body[1].weight.T + network.body[1].bias).tanh()
    torch.testing.assert_close(Observed(network)(x).feature(), torch.cat([x.flatten(1), first, second], dim=1))


def test_a_layer_is_never_wider_than_the_input() -> None:
    network = Denoising(layers=3, width=100)
    network.build((4,), 2)
    assert [tuple(layer.weight.shape) for layer in network.body] == [(4, 4)] * 3
    assert network.head.in_features == 16


@pytest.mark.parametrize("setting", ["layers", "width"])
def test_bad_settings_are_named(setting: str) -> None:
    with pytest.raises(UsageError, match=f"The '{setting}' of denoising must be ≥ 1. Got 0"):
        Denoising(**{setting: 0})
