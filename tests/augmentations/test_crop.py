"""Shifts against torch.roll, and which of them a crop draws."""

from __future__ import annotations

import torch

from limbeck.augmentations.crop import Crop, shifted
from limbeck.core import Draws

IMAGES = torch.rand(5, 3, 10, 12, generator=torch.Generator().manual_seed(0))


def test_the_interior_is_rolled_and_the_border_repeats() -> None:
    down, right = torch.tensor([0, 1, -2, 3, -3]), torch.tensor([0, -1, 2, 3, -3])
    found = shifted(IMAGES, down, right)
    for n in range(5):
        y, x = int(down[n]), int(right[n])
        rolled = IMAGES[n].roll((-y, -x), (1, 2))
        assert found[n, :, 3:-3, 3:-3].equal(rolled[:, 3:-3, 3:-3])
    assert found[3, :, -4:, 0].equal(IMAGES[3, :, -1:, 3].expand(3, 4))  # what came in from below
    assert found[0].equal(IMAGES[0])


def test_all_shifts_up_to_the_share_are_drawn_equally_often() -> None:
    ramp = (torch.arange(20.0)[:, None] * 100 + torch.arange(30.0))[None, None].expand(6000, 1, 20, 30)
    found = Crop(0.1)(ramp.contiguous(), Draws(0, torch.arange(6000)))[:, 0, 10, 15] - 1015
    down, right = (found / 100).round().long(), (found - (found / 100).round() * 100).long()
    for steps, most in ((down, 2), (right, 3)):
        values, counts = steps.unique(return_counts=True)
        assert values.tolist() == list(range(-most, most + 1))
        expected = 6000 / len(values)
        assert ((counts - expected).abs() < 5 * expected**0.5).all()


def test_no_share_is_the_identity() -> None:
    assert Crop(0.0)(IMAGES, Draws(0, torch.arange(5))).equal(IMAGES)
