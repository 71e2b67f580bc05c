"""Erasing: one rectangle, the mean of each channel, the size and probability asked for."""

from __future__ import annotations

import torch

from limbeck.augmentations.erase import Erase, inside
from limbeck.core import Draws

IMAGES = torch.randn(600, 3, 20, 30, generator=torch.Generator().manual_seed(0))
DRAWS = Draws(0, torch.arange(600))


def test_what_goes_is_a_rectangle_of_the_mean_and_the_rest_stays() -> None:
    found = Erase(0.5, 1.0)(IMAGES, DRAWS)
    gone = (found != IMAGES).any(1)
    rows, columns = gone.any(2), gone.any(1)
    assert gone.equal(rows[:, :, None] & columns[:, None, :])
    assert (rows.int().diff(dim=1) > 0).sum(1).max() <= 1 and (columns.int().diff(dim=1) > 0).sum(1).max() <= 1
    for n in gone.flatten(1).any(1).nonzero()[:, 0]:
        wiped = found[n][:, gone[n]]
        assert (wiped - IMAGES[n].mean((1, 2))[:, None]).abs().max() < 1e-5
    assert rows.sum(1).max() == 10 and columns.sum(1).max() == 15
    assert abs(rows.float().mean() - 0.25) < 0.02  # half of the largest, on average


def test_every_place_is_reached() -> None:
    gone = (Erase(0.5, 1.0)(IMAGES, DRAWS) != IMAGES).any(1).float().mean(0)
    assert gone.min() > 0 and gone[10, 15] > 2 * gone[0, 0]


def test_a_rectangle_holds_the_pixels_whose_centres_it_holds() -> None:
    found = inside(torch.tensor([[0.25, 0.0]]), torch.tensor([[0.5, 0.3]]), torch.zeros(1, 1, 4, 5))
    assert found[0, 0].int().tolist() == [[0] * 5, [1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0] * 5]


def test_as_many_as_the_probability_says() -> None:
    touched = (Erase(1.0, 0.3)(IMAGES, DRAWS) != IMAGES).flatten(1).any(1).float().mean()
    assert 0.2 < touched < 0.36
    assert Erase(0.5, 0.0)(IMAGES, DRAWS).equal(IMAGES) and Erase(0.0, 1.0)(IMAGES, DRAWS).equal(IMAGES)
