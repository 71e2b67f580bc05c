"""The small convolutional network: its size, and images that are too small for it."""

from __future__ import annotations

import pytest
import torch

from limbeck.core import UsageError
from limbeck.networks.cnn import Cnn


def test_the_number_of_parameters_of_the_docstring() -> None:
    network = Cnn(widths=[32, 64], hidden=128)
    network.build((1, 28, 28), 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == 421_834


@pytest.mark.parametrize(("size", "most"), [(28, 4), (16, 4), (15, 3), (1, 0)])
def test_each_convolution_halves_the_image(size: int, most: int) -> None:
    if most:
        Cnn(widths=[2] * most).build((1, size, size + 9), 3)
    with pytest.raises(UsageError, match=rf"must be at most {most} for images of {size}×{size + 9}"):
        Cnn(widths=[2] * (most + 1)).build((1, size, size + 9), 3)


def test_a_kernel_keeps_the_sizes_and_reads_further() -> None:
    network = Cnn(widths=[2], hidden=4, kernel=5)
    network.build((3, 8, 8), 10)
    assert [tuple(p.shape) for p in network.body[0].parameters()] == [(2, 3, 5, 5), (2,)]
    assert network.body(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 4, 4)


@pytest.mark.parametrize("kernel", [1, 4, -3])
def test_an_even_kernel_is_refused(kernel: int) -> None:
    with pytest.raises(UsageError, match=r"The 'kernel' of cnn must be an odd number ≥ 3\. Got"):
        Cnn(kernel=kernel)


def test_vectors_are_refused() -> None:
    with pytest.raises(UsageError, match=r"reads images .* Got samples of shape \[5\]: use mlp"):
        Cnn().build((5,), 3)


@pytest.mark.parametrize("widths", [[], [4, 0]])
def test_no_channels_are_refused(widths: list[int]) -> None:
    with pytest.raises(UsageError, match="'widths' of cnn"):
        Cnn(widths=widths)
