"""INT8 files: what they say, what they weigh, and what is told of bad samples."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from limbeck.compression import costs_of
from limbeck.compression.prune import Prune
from limbeck.compression.quantise import Quantise, check_samples
from limbeck.core import UsageError
from limbeck.export import Runner

NETWORK = nn.Sequential(
    *(nn.Conv2d(2, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 16, 64), nn.ReLU()),
    nn.Linear(64, 3),
).eval()


class Attending(nn.Module):
    """Words [n, 6, 16] → 3 classes, by a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoderLayer(16, 2, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs).mean(1))


def written(step: Quantise, network: nn.Module, inputs: torch.Tensor, folder: Path) -> tuple[Path, Runner]:
    form = step.form
    assert form is not None
    step.write(network, inputs, folder / form.file, {"row": "ours"})
    assert [file.name for file in folder.iterdir()] == [form.file]
    return folder / form.file, form.runner(folder / form.file)


@pytest.mark.extra("onnx")
def test_the_file_says_what_the_rounding_network_says(tmp_path: Path) -> None:
    inputs, step = torch.randn(70, 2, 8, 8), Quantise()
    path, run = written(step, NETWORK, inputs[:64], tmp_path)
    said = torch.from_numpy(run(inputs.numpy()))
    wanted = NETWORK(inputs)
    scale = wanted.abs().max()
    assert 0 < (said - wanted).abs().max() < 0.05 * scale
    assert (said - step.held(NETWORK, inputs[:64])(inputs)).abs().max() < 0.03 * scale
    plain, small = (costs_of(NETWORK, inputs, "onnxruntime", file) for file in (None, path))
    assert small.bytes < 0.4 * plain.bytes
    assert small.multiply_adds == plain.multiply_adds
    assert small.latency.keys() == {"1", "32"}
    assert plain.peak_memory is None or plain.peak_memory > 0


@pytest.mark.extra("onnx")
def test_the_small_file_keeps_what_it_says_of_itself(tmp_path: Path) -> None:
    import onnx

    path, _ = written(Quantise(), NETWORK, torch.randn(32, 2, 8, 8), tmp_path)
    (entry,) = (entry for entry in onnx.load(path).metadata_props if entry.key == "limbeck")
    assert entry.value == '{"row": "ours"}'


@pytest.mark.slow
@pytest.mark.extra("executorch")
def test_executorch_says_what_the_rounding_network_says(tmp_path: Path) -> None:
    inputs, step = torch.randn(70, 2, 8, 8), Quantise(runtime="executorch")
    _, run = written(step, NETWORK, inputs[:64], tmp_path)
    said, wanted = torch.from_numpy(run(inputs.numpy())), NETWORK(inputs)
    assert 0 < (said - wanted).abs().max() < 0.05 * wanted.abs().max()


@pytest.mark.slow
@pytest.mark.extra("executorch")
def test_a_rounded_file_of_executorch_costs_less(tmp_path: Path) -> None:
    inputs = torch.randn(70, 2, 8, 8)
    path, _ = written(Quantise(runtime="executorch"), NETWORK, inputs[:64], tmp_path)
    plain, small = (costs_of(NETWORK, inputs, "executorch", file) for file in (None, path))
    assert small.bytes < 0.5 * plain.bytes
    assert plain.peak_memory is None or plain.peak_memory > 0


@pytest.mark.slow
@pytest.mark.extra("onnx")
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("network", [Attending(), nn.Sequential(nn.Flatten(), nn.Linear(96, 200), nn.Linear(200, 3))])
def test_weights_alone_are_rounded_in_blocks(network: nn.Module, bits: int, tmp_path: Path) -> None:
    network, inputs = network.eval(), torch.randn(40, 6, 16)
    path, run = written(Quantise(mode="weight_only", bits=bits), network, inputs, tmp_path)
    apart = np.abs(run(inputs.numpy()) - network(inputs).detach().numpy()).max()
    rounded = rounded_in_blocks(network, bits)(inputs)
    assert 0 < apart < 0.5
    assert np.abs(run(inputs.numpy()) - rounded.detach().numpy()).max() < 0.25 * apart + 1e-5
    assert path.stat().st_size < costs_of(network, inputs, "onnxruntime").bytes


def rounded_in_blocks(network: nn.Module, bits: int) -> nn.Module:
    """By hand: 32 weights of an output share the factor that takes the largest of them to the end of the grid."""
    copied, low = copy.deepcopy(network), -(2 ** (bits - 1))
    for weight in copied.parameters():
        if weight.ndim == 2:
            blocks = torch.nn.functional.pad(weight.detach(), (0, -weight.shape[1] % 32)).unflatten(1, (-1, 32))
            largest = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
            scale = torch.where(largest == 0, torch.ones_like(largest), largest / low)
            grid = (blocks / scale).round().clamp(low, -low - 1) * scale
            weight.data = grid.flatten(1)[:, : weight.shape[1]]
    return copied


def test_a_step_says_by_what_its_student_is_run() -> None:
    assert [step.runtime for step in (Prune(), Quantise(), Quantise(runtime="executorch"))] == [
        *("torch", "onnxruntime", "executorch")
    ]
    assert Prune().form is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"samples": 0}, "The 'samples' of quantise must be"),
        ({"runtime": "executorch", "mode": "weight_only"}, "post_training or aware for executorch"),
        ({"runtime": "executorch", "calibration": "entropy"}, "left out for executorch"),
        ({"bits": 4}, "The 'bits' of quantise must be 8 in the mode post_training"),
    ],
)
def test_settings_that_do_not_go_together_are_told(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Quantise(**settings)


@pytest.mark.extra("onnx")
def test_weights_alone_need_a_linear_layer() -> None:
    with pytest.raises(UsageError, match="Sequential has no linear layer"):
        Quantise(mode="weight_only").check(nn.Sequential(nn.Conv2d(2, 4, 3)), torch.zeros(2, 2, 8, 8))


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


@pytest.mark.extra("onnx")
def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    class Unknown(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j1(inputs.flatten(1))

    for step, form in ((Quantise(), "ONNX"), (Quantise(mode="aware"), "ONNX")):
        with pytest.raises(UsageError, match=f"{form} does not know the operator .*bessel_j1"):
            step.check(Unknown(), torch.randn(8, 2, 3, 3))
    with pytest.raises(UsageError, match=r"ONNX does not know the operator .*bessel_j1"):
        Quantise().write(Unknown(), torch.randn(8, 2, 3, 3), tmp_path / "model.onnx", {})
    assert not list(tmp_path.iterdir())


def test_only_training_for_it_is_fine_tuned() -> None:
    assert Quantise(mode="aware").tuned and not Quantise().tuned
