"""Rotations against torch.rot90 and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from limbeck.augmentations.rotation import Rotation, rotated
from limbeck.core import Draws

IMAGES = torch.rand(4, 3, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2])
def test_quarters_are_those_of_torch(quarters: int) -> None:
    found = rotated(IMAGES, torch.full((4,), 90.0 * quarters))
    assert (found - IMAGES.rot90(quarters, (2, 3))).abs().max() < 1e-5


def test_other_angles_are_those_of_scipy_within_a_circle() -> None:
    angles = torch.tensor([10.0, -30.0, 45.0, 77.0])
    found = rotated(IMAGES, angles)
    place = np.arange(9) - 4
    circle = place[:, None] ** 2 + place[None] ** 2 <= 16
    for n in range(4):
        expected = ndimage.rotate(IMAGES[n].numpy(), float(angles[n]), axes=(1, 2), reshape=False, order=1)
        assert np.abs(found[n].numpy() - expected)[:, circle].max() < 1e-4


def test_angles_lie_within_the_range() -> None:
    """A ramp's slope tells the angle."""
    ramp = torch.arange(41.0).sub(20).expand(500, 1, 41, 41).contiguous()
    found = Rotation(20.0)(ramp, Draws(0, torch.arange(500)))
    across = (found[:, 0, 20, 25] - found[:, 0, 20, 15]) / 10
    down = (found[:, 0, 25, 20] - found[:, 0, 15, 20]) / 10
    angles = torch.atan2(-down, across).rad2deg()
    assert -20.01 < angles.min() < -19 and 19 < angles.max() < 20.01
    assert angles.mean().abs() < 2


def test_no_degrees_are_the_identity() -> None:
    assert Rotation(0.0)(IMAGES, Draws(0, torch.arange(4))).allclose(IMAGES, atol=1e-5)
