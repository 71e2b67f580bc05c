"""A difference in class shares alone is told from one in how the classes look."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limbeck.core import generator
from limbeck.distances.coral import Coral
from limbeck.distances.mmd import Mmd
from limbeck.gap import GapSettings, beyond_shares, rows_of_shares

BOTH = {"mmd": Mmd(), "coral": Coral()}
FEW = GapSettings(permutations=99, resamples=20)
EVEN, SKEWED = [1 / 3, 1 / 3, 1 / 3], [0.7, 0.2, 0.1]


def drawn(shares: list[float], n: int, seed: int, moved: float = 0.0) -> tuple[Tensor, Tensor]:
    """Labels, and points around a corner for each class."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=shares)
    return torch.from_numpy(labels), torch.from_numpy(rng.normal(2 * np.eye(3)[labels] + moved)).float()


def found(moved: float, seed: int, wanted: list[float] = SKEWED, n: int = 400) -> dict:
    labels, points = drawn(EVEN, n, seed)
    target = drawn(SKEWED, 200, 100 + seed, moved)[1]
    return beyond_shares({"inputs": (labels, points.__getitem__, target)}, wanted, BOTH, FEW)


def test_shares_alone_are_found_and_a_moved_domain_is_not_taken_for_them() -> None:
    alone = [found(0.0, seed)["alone"] for seed in range(10)]
    moved = [found(0.6, seed) for seed in range(10)]
    assert sum(alone) >= 8
    assert not any(entry["alone"] for entry in moved)
    assert moved[0]["sentence"] == "They differ in more than their classes' shares."


def test_shares_that_are_not_the_targets_explain_nothing() -> None:
    assert not any(found(0.0, seed, wanted=[0.1, 0.2, 0.7])["alone"] for seed in range(5))


def test_too_few_samples_tell_nothing() -> None:
    entry = found(0.0, 0, n=15)
    assert not entry["alone"] and entry["p_value"] == entry["as_they_come"] == 1.0
    assert entry["sentence"].startswith("Whether they differ in more than their classes' shares cannot be told")


def test_the_space_in_which_they_differ_decides() -> None:
    labels, points = drawn(EVEN, 400, 0)
    target = drawn(SKEWED, 200, 100)[1]
    spaces = {"inputs": (labels, points.__getitem__, target), "teacher": (labels, points.__getitem__, target + 1)}
    assert beyond_shares({"inputs": spaces["inputs"]}, SKEWED, BOTH, FEW)["alone"]
    entry = beyond_shares(spaces, SKEWED, BOTH, FEW)
    assert not entry["alone"] and entry["p_value"] < 0.05


@pytest.mark.parametrize("shares", [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [1.0, 0.0, 0.0]])
def test_as_many_rows_as_can_be_have_the_shares(shares: list[float]) -> None:
    labels = torch.tensor([-1] * 5 + [0] * 40 + [1] * 20 + [2] * 30)[torch.randperm(95)]
    rows = rows_of_shares(labels, shares, generator(0))
    counts = labels[rows].bincount(minlength=3).double()
    assert len(set(rows.tolist())) == len(rows) and (labels[rows] >= 0).all()
    assert counts / counts.sum() == pytest.approx(np.array(shares))
    whole = torch.tensor([40, 20, 30])
    assert ((counts == whole) & (torch.tensor(shares) > 0)).any()  # one class is used up: more cannot be drawn


def test_a_class_that_the_source_lacks_leaves_no_rows() -> None:
    assert len(rows_of_shares(torch.tensor([0, 0, 1]), [0.4, 0.4, 0.2], generator(0))) == 0
