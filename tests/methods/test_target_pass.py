"""A pass over the target between the steps, and tables with a row for each of its samples."""

from __future__ import annotations

import copy

import pytest
import torch
from small_world import World, network
from torch import Tensor, nn

from limbeck.methods._statistics import still_statistics
from limbeck.methods._target_pass import keep_table, said_of, training_rows
from limbeck.networks import Observed

VIEW = World().domain("target").view()


def test_the_rows_are_those_of_the_stream() -> None:
    assert training_rows(VIEW).tolist() == list(range(34))


@pytest.mark.parametrize("size", [5, 512])
def test_it_says_what_the_student_says_in_evaluation_mode(size: int) -> None:
    student, rows = Observed(network(3), ["0"]), torch.tensor([40, 3, 7, 3, 12, 59, 0])
    student.train()
    before = copy.deepcopy(student.state_dict())
    said = said_of(student, VIEW, rows, batch_size=size)
    assert student.training and not said.logits.requires_grad
    assert all(value.equal(before[name]) for name, value in student.state_dict().items())
    student.eval()
    wanted = student(VIEW.inputs[rows])
    assert torch.allclose(said.logits, wanted.logits, atol=1e-6)
    assert said.features.keys() == {"features"}  # what else is observed is not kept of all samples
    both = said_of(student, VIEW, rows, layers=("features", "0"), batch_size=size)
    assert all(torch.allclose(both.feature(name), wanted.feature(name), atol=1e-6) for name in ("features", "0"))


class Table(nn.Module):
    rows: Tensor

    def __init__(self) -> None:
        super().__init__()
        keep_table(self, "rows", torch.empty(0, 2))


def test_a_table_takes_the_length_of_what_is_loaded() -> None:
    full, empty = Table(), copy.deepcopy(Table())
    full.rows = torch.arange(6.0).view(3, 2)
    empty.load_state_dict(full.state_dict())
    assert empty.rows.equal(full.rows)
    full.load_state_dict(Table().state_dict())
    assert full.rows.shape == (0, 2)
    nested = nn.ModuleDict({"in": Table()})
    nested.load_state_dict(nn.ModuleDict({"in": empty}).state_dict())
    assert nested["in"].rows.equal(empty.rows)
    with pytest.raises(RuntimeError, match="Missing key"):
        full.load_state_dict({})


def test_still_statistics_stay_and_the_batch_is_normalised_as_ever() -> None:
    inputs = torch.randn(16, 3) * 2 + 5
    still, moving = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    before = copy.deepcopy(still.state_dict())
    with still_statistics(nn.Sequential(still)):
        found = still(inputs)
    assert found.equal(moving(inputs))
    assert all(value.equal(before[name]) for name, value in still.state_dict().items())
    still(inputs)
    assert still.running_mean.equal(moving.running_mean), "afterwards they move again"
    still.eval()
    with still_statistics(still):
        assert still(inputs).equal(moving.eval()(inputs))


def test_statistics_move_again_after_an_error() -> None:
    norm = nn.BatchNorm1d(3)
    with pytest.raises(ZeroDivisionError), still_statistics(norm):
        raise ZeroDivisionError
    assert norm.track_running_stats
