"""Views: parts one after another, each with draws of its own, as a function of seed, sample and view."""

from __future__ import annotations

import pytest
import torch

from limbeck.augmentations import Views
from limbeck.augmentations.crop import Crop, shifted
from limbeck.augmentations.mask import Mask
from limbeck.augmentations.mixup import Mixup
from limbeck.augmentations.noise import Noise
from limbeck.core import UsageError

INDEX = torch.arange(20, 32)
IMAGES = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_two_equal_parts_draw_apart() -> None:
    flat = torch.zeros(12, 50)
    one, two = (Views([Noise(1.0)] * k, 0, None).inputs(flat, INDEX, 0) for k in (1, 2))
    second = two - one
    assert abs(torch.corrcoef(torch.stack([one.flatten(), second.flatten()]))[0, 1]) < 0.15
    assert not second.allclose(one, atol=0.1)


def test_parts_are_applied_in_order() -> None:
    noisy_then_masked = Views([Noise(1.0), Mask(0.5)], 0, None).inputs(torch.zeros(12, 50), INDEX, 0)
    masked_then_noisy = Views([Mask(0.5), Noise(1.0)], 0, None).inputs(torch.zeros(12, 50), INDEX, 0)
    assert 0.3 < (noisy_then_masked == 0).float().mean() < 0.7
    assert (masked_then_noisy == 0).float().mean() < 0.01


def test_seed_sample_and_view_each_matter_and_nothing_else() -> None:
    views = Views([Crop(0.5), Noise()], 0, 4)
    first = views.inputs(IMAGES, INDEX, 1)
    assert Views([Crop(0.5), Noise()], 0, None).inputs(IMAGES, INDEX, 1).equal(first)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    assert views.inputs(IMAGES[order], INDEX[order], 1).equal(first[order])
    assert not views.inputs(IMAGES, INDEX, 2).equal(first)
    assert not views.inputs(IMAGES, INDEX + 1, 1).equal(first)
    assert not Views([Crop(0.5), Noise()], 1, 4).inputs(IMAGES, INDEX, 1).equal(first)


def test_a_view_of_a_crop_is_a_shift_of_the_image() -> None:
    found = Views([Crop(0.25)], 0, None).inputs(IMAGES, INDEX, 0)
    steps = range(-2, 3)
    for image, crop in zip(IMAGES, found, strict=True):
        moved = [shifted(image[None], torch.tensor([y]), torch.tensor([x]))[0] for y in steps for x in steps]
        assert any(crop.equal(one) for one in moved)


def test_passages_go_round_the_views() -> None:
    assert [Views([], 0, 3).view_of(passage) for passage in range(5)] == [0, 1, 2, 0, 1]
    assert Views([], 0, None).view_of(100) == 100


@pytest.mark.parametrize("count", [0, -1])
def test_no_views_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match="'count' of views must be at least 1"):
        Views([], 0, count)


def test_no_parts_change_nothing() -> None:
    assert Views([], 0, 1).inputs(IMAGES, INDEX, 0).equal(IMAGES)


def test_it_mixes_where_a_part_does() -> None:
    assert Views([Noise(), Mixup()], 0, None).mixes
    assert not Views([Noise(), Crop()], 0, None).mixes


def test_a_shape_that_does_not_suit_a_part_is_refused() -> None:
    views = Views([Noise(), Crop()], 0, None)
    views.check((1, 8, 8))
    with pytest.raises(UsageError, match=r"samples of crop must be images.*Got \[5\]"):
        views.check((5,))


def test_the_identity_tells_parts_order_settings_seed_and_count() -> None:
    all_of_them = [
        Views([Noise(), Crop()], 0, 2),
        Views([Crop(), Noise()], 0, 2),
        Views([Noise(0.2), Crop()], 0, 2),
        Views([Noise()], 0, 2),
        Views([Noise(), Crop()], 1, 2),
        Views([Noise(), Crop()], 0, None),
    ]
    assert len({views.identity() for views in all_of_them}) == len(all_of_them)
    assert Views([Noise(), Crop()], 0, 2).identity() == all_of_them[0].identity()
