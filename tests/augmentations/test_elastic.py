"""Elastic distortions: the field against SciPy's splines, its size, its smoothness."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from limbeck.augmentations.elastic import Elastic, spline_field
from limbeck.core import Draws

IMAGES = torch.rand(4, 2, 16, 20, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("cells", "high", "wide"), [(1, 5, 7), (3, 28, 28), (6, 9, 40)])
def test_the_field_is_a_spline_surface(cells: int, high: int, wide: int) -> None:
    control = torch.randn(3, 2, cells + 3, cells + 3, generator=torch.Generator().manual_seed(0))
    knots = np.arange(cells + 7) - 3.0
    bases = []
    for size in (high, wide):
        places = (np.arange(size) + 0.5) / size * cells
        bases.append(BSpline(knots, np.eye(cells + 3), 3)(places))
    expected = np.einsum("ncij,hi,wj->nchw", control.double().numpy(), *bases)
    assert np.abs(spline_field(control, high, wide).numpy() - expected).max() < 1e-5


def displacements(size: float, cells: int, side: int, n: int = 300) -> torch.Tensor:
    """How far each pixel is read from its place, in shares of the side, from pictures of the coordinates."""
    place = (torch.arange(side) + 0.5) / side
    picture = torch.stack([place.expand(side, side), place[:, None].expand(side, side)])
    return Elastic(size, cells)(picture.repeat(n, 1, 1, 1), Draws(0, torch.arange(n))) - picture


def test_displacements_are_as_large_as_it_says() -> None:
    inner = displacements(0.02, 3, 30)[:, :, 6:24, 6:24]  # where the border cuts nothing off
    assert 0.02 * 0.80 < inner.std() < 0.02 * 1.04
    assert inner.mean().abs() < 0.002
    assert displacements(0.04, 3, 30)[:, :, 10:20, 10:20].allclose(2 * inner[:, :, 4:14, 4:14], atol=1e-5)


def test_displacements_are_smooth_and_fewer_cells_make_longer_waves() -> None:
    steps = [displacements(0.02, cells, 40)[:, :, 10:30, 10:30].diff(dim=3).abs().mean() for cells in (2, 4, 8)]
    assert steps[0] < steps[1] < steps[2]
    assert steps[1] < 0.02 * 4 / 40 * 1.5  # a wave goes up and down once in about two cells


def test_the_same_draws_give_the_same_field_at_any_resolution() -> None:
    coarse, fine = displacements(0.02, 3, 20, 5), displacements(0.02, 3, 60, 5)
    assert (coarse - fine[:, :, 1::3, 1::3])[:, :, 4:-4, 4:-4].abs().max() < 1e-5


def test_no_size_is_the_identity() -> None:
    assert Elastic(0.0)(IMAGES, Draws(0, torch.arange(4))).allclose(IMAGES, atol=1e-5)
