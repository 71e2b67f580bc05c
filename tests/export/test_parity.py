"""What is said of a file is what it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.export import Parity, compare, latency


def said(shift: float, scale: float = 1.0, outputs: int = 2) -> Parity:
    torch.manual_seed(0)
    network = nn.Linear(3, outputs)

    def runner(inputs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(inputs)).numpy() * scale + shift

    return compare(runner, network, torch.randn(70, 3))


def test_small_outputs_differ_absolutely() -> None:
    assert said(0.0).difference == 0
    assert said(0.25).difference == pytest.approx(0.25, rel=0.2)
    assert np.isnan(said(float("nan")).difference)


def test_large_outputs_differ_relatively() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1000.0)
    parity = compare(lambda inputs: inputs * 1001.0, network, torch.ones(3, 1))
    assert parity.difference == pytest.approx(1e-3) and parity.agreement is None


def test_agreement_is_the_share_of_equal_answers() -> None:
    samples = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0], [1.0, 5.0]])
    always_first = np.array([[1.0, 0.0]], dtype=np.float32)
    parity = compare(lambda inputs: always_first.repeat(len(inputs), 0), nn.Identity(), samples)
    assert parity.agreement == 0.5 and parity.samples == 4


def test_the_file_meets_single_samples_and_batches() -> None:
    sizes: set[int] = set()

    def runner(inputs: np.ndarray) -> np.ndarray:
        sizes.add(len(inputs))
        return inputs

    compare(runner, nn.Identity(), torch.randn(70, 2))
    assert {1, 5, 32} <= sizes


def test_latency_is_of_the_calls_after_the_warm_up() -> None:
    calls: list[int] = []
    found = latency(lambda: calls.append(1))
    assert 13 <= len(calls) <= 103 and 0 <= found.median <= found.p95
