"""INT8 files: what they say, what they weigh, and what is told of bad samples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from limbeck.compression import costs_of, runtime_of
from limbeck.compression.prune import Prune
from limbeck.compression.quantise import Quantise, check_samples
from limbeck.core import UsageError

NETWORK = nn.Sequential(
    *(nn.Conv2d(2, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 64), nn.ReLU()),
    nn.Linear(64, 3),
).eval()


@pytest.mark.extra("onnx")
def test_the_file_says_what_the_rounding_network_says(tmp_path: Path) -> None:
    inputs, step, path = torch.randn(70, 2, 8, 8), Quantise(), tmp_path / "model.onnx"
    step.write(NETWORK, inputs[:64], path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    said = torch.from_numpy(step.runner(path)(inputs.numpy()))
    wanted = NETWORK(inputs)
    scale = wanted.abs().max()
    assert 0 < (said - wanted).abs().max() < 0.05 * scale
    assert (said - step.held(NETWORK, inputs[:64])(inputs)).abs().max() < 0.03 * scale
    plain, small = (costs_of(NETWORK, inputs, "onnxruntime", file) for file in (None, path))
    assert small.bytes < 0.4 * plain.bytes
    assert small.multiply_adds == plain.multiply_adds
    assert small.latency.keys() == {"1", "32"}
    assert plain.peak_memory is None or plain.peak_memory > 0


def test_the_last_step_says_by_what_all_are_run() -> None:
    assert runtime_of([Prune(), Quantise()]) == "onnxruntime"
    assert runtime_of([Prune()]) == "torch"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (torch.zeros(0, 2, 8, 8), "there are none"),
        (torch.zeros(4, 1, 8, 8), r"cannot read samples of shape \[1, 8, 8\]"),
        (torch.full((4, 2, 8, 8), torch.nan), "not finite"),
    ],
)
def test_bad_samples_are_told(inputs: torch.Tensor, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        check_samples(NETWORK, inputs)


def test_only_training_for_it_is_fine_tuned() -> None:
    assert Quantise(mode="aware").tuned and not Quantise().tuned
    with pytest.raises(UsageError, match="The 'samples' of quantise must be"):
        Quantise(samples=0)
