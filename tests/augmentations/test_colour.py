"""Colour in closed form."""

from __future__ import annotations

import pytest
import torch

from limbeck.augmentations.colour import Colour, contrasted, saturated
from limbeck.core import Draws, UsageError

IMAGES = torch.randn(200, 3, 6, 7, generator=torch.Generator().manual_seed(0))
DRAWS = Draws(0, torch.arange(200))
FACTORS = torch.linspace(0, 2, 200)


def test_contrast_scales_the_deviation_and_keeps_the_mean() -> None:
    found = contrasted(IMAGES, FACTORS)
    assert found.mean((1, 2, 3)).allclose(IMAGES.mean((1, 2, 3)), atol=1e-5)
    assert found.flatten(1).std(1).allclose(FACTORS * IMAGES.flatten(1).std(1), atol=1e-5)
    mean = IMAGES.double().mean((1, 2, 3), keepdim=True)
    expected = mean + FACTORS.double().view(-1, 1, 1, 1) * (IMAGES.double() - mean)
    assert (found - expected).abs().max() < 1e-5


def test_saturation_scales_what_differs_from_grey() -> None:
    found = saturated(IMAGES, FACTORS)
    grey = IMAGES.double().mean(1, keepdim=True)
    assert (found - (grey + FACTORS.double().view(-1, 1, 1, 1) * (IMAGES - grey))).abs().max() < 1e-5
    assert found[0].std(0).max() < 1e-6  # a factor of 0: grey


def test_brightness_adds_one_number_per_image_within_its_range() -> None:
    added = Colour(0.7, 0.0, 0.0)(IMAGES, DRAWS) - IMAGES
    assert added.flatten(1).std(1).max() < 1e-6
    amounts = added[:, 0, 0, 0]
    assert -0.7 <= amounts.min() < -0.6 and 0.6 < amounts.max() <= 0.7


def test_contrast_and_saturation_stay_within_their_ranges() -> None:
    for settings in ((0.0, 0.5, 0.0), (0.0, 0.0, 0.5)):
        found = Colour(*settings)(IMAGES, DRAWS)
        centre = IMAGES.mean((1, 2, 3) if settings[1] else 1, keepdim=True)
        before, after = (IMAGES - centre).flatten(1), (found - centre).flatten(1)
        factors = (before * after).sum(1) / before.square().sum(1)
        assert 0.499 < factors.min() < 0.55 and 1.45 < factors.max() < 1.501


def test_no_strength_is_the_identity() -> None:
    assert Colour(0.0, 0.0, 0.0)(IMAGES, DRAWS).equal(IMAGES)


def test_saturation_needs_three_channels() -> None:
    with pytest.raises(UsageError, match=r"saturation of colour needs images of 3 channels\. Got 1"):
        Colour().check((1, 8, 8))
    Colour(saturation=0.0).check((1, 8, 8))
    Colour().check((3, 8, 8))
