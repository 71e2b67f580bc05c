"""Mirror images against torch.flip."""

from __future__ import annotations

import pytest
import torch

from limbeck.augmentations.flip import Flip
from limbeck.core import Draws

IMAGES = torch.rand(400, 3, 5, 7, generator=torch.Generator().manual_seed(0))
DRAWS = Draws(0, torch.arange(400))


def test_certain_flips_are_those_of_torch() -> None:
    assert Flip(1.0, 0.0)(IMAGES, DRAWS).equal(IMAGES.flip(3))
    assert Flip(0.0, 1.0)(IMAGES, DRAWS).equal(IMAGES.flip(2))
    assert Flip(1.0, 1.0)(IMAGES, DRAWS).equal(IMAGES.flip(2, 3))
    assert Flip(0.0, 0.0)(IMAGES, DRAWS).equal(IMAGES)


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_as_many_are_flipped_as_the_probability_says(probability: float) -> None:
    found = Flip(probability)(IMAGES, DRAWS)
    flipped = (found == IMAGES.flip(3)).flatten(1).all(1)
    assert ((found == IMAGES).flatten(1).all(1) | flipped).all()
    assert abs(flipped.float().mean() - probability) < 4 * (probability * (1 - probability) / 400) ** 0.5


def test_both_ways_are_drawn_apart() -> None:
    found = Flip(0.5, 0.5)(IMAGES, DRAWS)
    counts = [
        (found == other).flatten(1).all(1).sum()
        for other in (IMAGES, IMAGES.flip(2), IMAGES.flip(3), IMAGES.flip(2, 3))
    ]
    assert sum(counts) == 400 and min(counts) > 60
