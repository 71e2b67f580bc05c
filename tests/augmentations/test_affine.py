"""Affine maps: the matrix against one composed in NumPy; the warp itself is tested with the images' helpers."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage

from limbeck.augmentations.affine import Affine, affine_matrix
from limbeck.augmentations.rotation import rotated
from limbeck.core import Draws

IMAGES = torch.rand(6, 2, 12, 15, generator=torch.Generator().manual_seed(0))
DRAWS = Draws(0, torch.arange(6), 3)


def test_the_matrix_is_shear_times_rotation_over_scale() -> None:
    angle, scale, shear = torch.tensor([[0.0, 30.0, -70.0], [1.0, 2.0, 0.5], [0.3, 0.0, -0.4]])
    for n, found in enumerate(affine_matrix(angle, scale, shear)):
        turn = np.deg2rad(float(angle[n]))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        expected = np.array([[1, float(shear[n])], [0, 1]]) @ rotation / float(scale[n])
        assert np.abs(found.numpy() - expected).max() < 1e-6


def test_the_augmentation_is_scipys_transform_with_the_same_draws() -> None:
    degrees, scale, shear, shift = 40.0, 0.5, 0.3, 0.2
    found = Affine(degrees, scale, shear, shift)(IMAGES, DRAWS)
    u = 2 * DRAWS.uniform("map", size=(5,)).double().numpy() - 1
    centre = (np.array([12, 15]) - 1) / 2
    swap = np.array([[0, 1], [1, 0]])  # SciPy's coordinates are (row, column), ours (x, y)
    for n in range(6):
        turn = np.deg2rad(u[n, 0] * degrees)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        matrix = np.array([[1, u[n, 2] * shear], [0, 1]]) @ rotation / (1 + scale) ** u[n, 1]
        matrix = swap @ matrix @ swap
        offset = centre - matrix @ (centre + u[n, :2:-1] * shift * [12, 15])
        for channel in range(2):
            image = IMAGES[n, channel].numpy().astype(float)
            expected = ndimage.affine_transform(image, matrix, offset, order=1, mode="nearest")
            assert np.abs(found[n, channel].numpy() - expected).max() < 1e-4


def test_a_rotation_alone_is_a_rotation() -> None:
    angle = (2 * DRAWS.uniform("map", size=(5,))[:, 0] - 1) * 25
    assert Affine(25.0, 0.0, 0.0, 0.0)(IMAGES, DRAWS).allclose(rotated(IMAGES, angle), atol=1e-6)


def test_no_strength_is_the_identity() -> None:
    assert Affine(0.0, 0.0, 0.0, 0.0)(IMAGES, DRAWS).allclose(IMAGES, atol=1e-5)
