"""The warp against SciPy, and means that do not depend on the order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from limbeck.augmentations._images import centres, check_images, exact_mean, turned, warp
from limbeck.core import UsageError


@pytest.mark.parametrize("size", [(28, 28), (9, 14), (17, 6)])
def test_a_warp_is_scipys_affine_transform(size: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    images = draw.normal(size=(4, 2, *size))
    matrices = np.eye(2) + draw.uniform(-0.4, 0.4, size=(4, 2, 2))
    shifts = draw.uniform(-0.2, 0.2, size=(4, 2))
    found = warp(*(torch.from_numpy(array).float() for array in (images, matrices, shifts)))
    swap = np.array([[0, 1], [1, 0]])  # SciPy's coordinates are (row, column), ours (x, y)
    centre = (np.array(size) - 1) / 2
    for n in range(4):
        matrix = swap @ matrices[n] @ swap
        offset = centre - matrix @ (centre + shifts[n][::-1] * size)
        for channel in range(2):
            expected = ndimage.affine_transform(images[n, channel], matrix, offset, order=1, mode="nearest")
            assert np.abs(found[n, channel].numpy() - expected).max() < 1e-4


def test_a_warp_gives_the_same_picture_at_any_resolution() -> None:
    """A smooth function of the place, sampled coarsely and finely."""

    def picture(size: int) -> torch.Tensor:
        x = centres(size, torch.zeros(1))
        return (torch.sin(2 * x)[None, :] * torch.cos(x)[:, None])[None, None]

    matrix, shift = turned(torch.tensor([20.0])) * 0.7, torch.tensor([[0.05, -0.1]])
    coarse, fine = (warp(picture(size), matrix, shift) for size in (32, 96))
    assert (coarse - fine[:, :, 1::3, 1::3]).abs().max() < 0.01


def test_the_mean_is_exact_in_any_order() -> None:
    values = 100 * torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    mean = exact_mean(values)
    for seed in range(20):
        order = torch.randperm(1000, generator=torch.Generator().manual_seed(seed))
        assert exact_mean(values[:, order]).equal(mean)
    assert (mean.double() - values.double().mean(1, keepdim=True)).abs().max() < 2e-6
    images = values.view(3, 2, 20, 25)
    assert exact_mean(images, 2).shape == (3, 2, 1, 1)
    assert exact_mean(images, 2).allclose(images.mean((2, 3), keepdim=True), atol=1e-5)


@pytest.mark.parametrize("shape", [(5,), (8, 8), (3, 2, 8, 8)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="must be images"):
        check_images("flip", shape)
