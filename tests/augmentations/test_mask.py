"""Masks: how many features go, which, and that the rest stays."""

from __future__ import annotations

import pytest
import torch

from limbeck.augmentations.mask import Mask
from limbeck.core import Draws, UsageError

ROWS = torch.rand(2000, 10, generator=torch.Generator().manual_seed(0)) + 1
DRAWS = Draws(0, torch.arange(2000))


@pytest.mark.parametrize("probability", [0.1, 0.6])
def test_features_go_with_the_probability_each_on_its_own(probability: float) -> None:
    found = Mask(probability)(ROWS, DRAWS)
    gone = found == 0
    assert found[~gone].equal(ROWS[~gone])
    spread = (probability * (1 - probability) / 2000) ** 0.5
    assert (gone.float().mean(0) - probability).abs().max() < 4 * spread
    correlation = torch.corrcoef(gone.float().T) - torch.eye(10)
    assert correlation.abs().max() < 5 / 2000**0.5


def test_no_probability_is_the_identity() -> None:
    assert Mask(0.0)(ROWS, DRAWS).equal(ROWS)


def test_images_are_refused_with_the_part_that_suits_them() -> None:
    with pytest.raises(UsageError, match=r"rows of features, \[features\]\. Got \[1, 8, 8\]\. For images write erase"):
        Mask().check((1, 8, 8))
