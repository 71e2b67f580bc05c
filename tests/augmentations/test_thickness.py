"""Thickness against SciPy's grey-value morphology, and its order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from limbeck.augmentations.thickness import Thickness, thickened
from limbeck.core import Draws

IMAGES = torch.randn(9, 2, 11, 13, generator=torch.Generator().manual_seed(0))
AMOUNTS = torch.linspace(-1, 1, 9)


@pytest.mark.parametrize("radius", [1, 2])
def test_the_ends_are_erosion_and_dilation(radius: int) -> None:
    found = thickened(IMAGES, torch.tensor([-1.0, 1.0]).repeat(5)[:9], radius)
    side = 2 * radius + 1
    for n in range(9):
        operation = ndimage.grey_dilation if n % 2 else ndimage.grey_erosion
        expected = operation(IMAGES[n].numpy(), size=(1, side, side), mode="nearest")
        assert np.abs(found[n].numpy() - expected).max() < 1e-6


def test_half_an_amount_goes_half_the_way() -> None:
    whole, half = (thickened(IMAGES, AMOUNTS.sign() * size, 1) - IMAGES for size in (1.0, 0.5))
    assert half.allclose(whole / 2, atol=1e-6)


def test_ink_grows_with_the_amount() -> None:
    one = IMAGES[:1].expand(9, -1, -1, -1).contiguous()
    found = thickened(one, AMOUNTS, 1)
    assert (found.diff(dim=0) > -1e-6).all()
    assert (found.mean((1, 2, 3)).diff() > 0.05).all()
    assert found[4].equal(IMAGES[0])


def test_amounts_fill_the_range_and_a_strength_of_zero_is_the_identity() -> None:
    edge = (torch.arange(8.0) >= 4).float().expand(500, 1, 8, 8).contiguous()
    amounts = Thickness(0.6)(edge, Draws(0, torch.arange(500)))[:, 0, 4, 3:5] - torch.tensor([0.0, 1.0])
    thicker, thinner = amounts.unbind(1)
    assert 0.55 < thicker.max() <= 0.6 and -0.6 <= thinner.min() < -0.55
    assert ((thicker == 0) | (thinner == 0)).all()
    assert Thickness(0.0)(edge, Draws(0, torch.arange(500))).equal(edge)


def test_the_radius_follows_the_resolution() -> None:
    def reach(side: int) -> int:
        point = torch.zeros(64, 1, side, side)
        point[:, :, side // 2, side // 2] = 1
        return int((Thickness(1.0, 0.036)(point, Draws(0, torch.arange(64))) > 0).any(2).sum(2).max())

    assert [reach(side) for side in (8, 28, 84)] == [3, 3, 7]
