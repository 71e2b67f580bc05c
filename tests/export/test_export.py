"""A network becomes a graph for batches of any size, or it is told why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from limbeck.core import UsageError
from limbeck.export import export_network, traced
from limbeck.export.torch_export import TorchExport
from limbeck.networks import Observed


class Fixed(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.view(32, 3)


class Deciding(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.sum() > 0 else -inputs


@pytest.mark.parametrize("network", [Fixed(), Deciding()], ids=["fixed", "deciding"])
def test_a_network_that_cannot_be_traced_is_told(network: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{type(network).__name__} cannot be traced with a batch of any size: "):
        export_network(network, torch.randn(40, 3), tmp_path, TorchExport())
    assert not list(tmp_path.iterdir())


def test_without_samples_nothing_can_be_compared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are none"):
        export_network(nn.Linear(3, 2), torch.zeros(0, 3), tmp_path, TorchExport())


@pytest.mark.parametrize("count", [1, 5, 70])
def test_any_number_of_samples_will_do(count: int, tmp_path: Path) -> None:
    assert export_network(nn.Linear(3, 2), torch.randn(count, 3), tmp_path, TorchExport()).samples == count


def test_a_student_under_observation_is_exported_and_stays_observed(tmp_path: Path) -> None:
    student = Observed(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2)), ["0"]).train()
    samples = torch.randn(8, 3, requires_grad=True)
    assert export_network(student.network, samples, tmp_path, TorchExport()).difference < 1e-6
    assert student.training and student(samples).feature("0").shape == (8, 4)


def test_a_bound_on_the_batch_is_kept() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)).eval()
    for largest, wanted in ((48, (1, 48)), (8, (1, 8)), (None, None)):
        program = traced(network, torch.randn(3, 1, 4, 4), largest)
        (bounds,) = program.range_constraints.values()
        assert bounds.lower == 1 and (wanted is None or bounds.upper == wanted[1])


def test_no_file_of_the_machine_is_told(tmp_path: Path) -> None:
    export_network(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.randn(4, 3), tmp_path, TorchExport(), {"row": "x"})
    assert b"site-packages" not in (tmp_path / "model.pt2").read_bytes()
    extra = {"limbeck.json": ""}
    torch.export.load(tmp_path / "model.pt2", extra_files=extra)
    assert extra["limbeck.json"] == '{"row": "x"}'
