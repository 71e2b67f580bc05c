"""Blur against SciPy's Gaussian filter."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage

from limbeck.augmentations.blur import Blur, blurred
from limbeck.core import Draws

IMAGES = torch.randn(5, 2, 17, 14, generator=torch.Generator().manual_seed(0))


def test_it_is_scipys_gaussian_filter() -> None:
    deviations = torch.tensor([0.2, 0.5, 1.0, 1.7, 2.0])
    found = blurred(IMAGES, deviations, 6)
    for n in range(5):
        sigma = float(deviations[n])
        expected = ndimage.gaussian_filter(IMAGES[n].double().numpy(), (0, sigma, sigma), mode="nearest", radius=6)
        assert np.abs(found[n].numpy() - expected).max() < 1e-5


def test_no_deviation_is_the_identity_to_the_bit() -> None:
    assert blurred(IMAGES, torch.zeros(5), 3).equal(IMAGES)
    assert Blur(0.0)(IMAGES, Draws(0, torch.arange(5))).equal(IMAGES)


def test_a_flat_image_stays_flat_and_a_point_keeps_its_weight() -> None:
    draws = Draws(0, torch.arange(50))
    assert (Blur(0.1)(torch.full((50, 1, 20, 20), 3.0), draws) - 3).abs().max() < 1e-5
    point = torch.zeros(50, 1, 41, 41)
    point[:, :, 20, 20] = 1
    spread = Blur(0.1)(point, draws)
    assert (spread.sum((2, 3)) - 1).abs().max() < 1e-5
    variance = (spread[:, 0].sum(1) * torch.arange(-20.0, 21).square()).sum(1)
    expected = (draws.uniform("size") * 0.1 * 41).square()
    large = expected.sqrt() > 1  # below a pixel the samples of a Gaussian are narrower than it
    assert (variance[large] / expected[large] - 1).abs().max() < 0.05
    assert math.sqrt(variance.max()) <= 4.1
