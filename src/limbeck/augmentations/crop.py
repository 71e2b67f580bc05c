"""Random shifts, which are random crops of a padded image."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Le
from jaxtyping import Float, Int
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images
from limbeck.core import Draws

__all__ = ["Crop"]


class Crop(Augmentation):
    """Shift images by whole pixels along both sides; what comes in repeats the border.

    `out[y, x] = in[y + dy, x + dx]`, dy and dx uniform over the whole numbers up to `shift` times the side: the
    crop of a padded image, as in He et al. 2016, section 4.2 (4 pixels of 32).

    shift: the largest shift, as a share of the side.

    >>> images = torch.rand(2, 1, 8, 8)
    >>> Crop(shift=0.25)(images, Draws(0, torch.arange(2))).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, shift: Annotated[float, Ge(0), Le(1)] = 0.125):
        self.shift = shift

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("crop", shape)

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        most = [round(self.shift * side) for side in inputs.shape[2:]]
        share = draws.uniform("shift", size=(2,))
        steps = [(share[:, k] * (2 * most[k] + 1)).long().clamp(max=2 * most[k]) - most[k] for k in range(2)]
        return shifted(inputs, steps[0], steps[1])


def shifted(
    inputs: Float[Tensor, "n c h w"], down: Int[Tensor, " n"], right: Int[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """`out[y, x] = in[y + down, x + right]`, each sample by its own; places outside repeat the border.

    >>> shifted(torch.arange(3.0).view(1, 1, 1, 3), torch.tensor([0]), torch.tensor([1]))
    tensor([[[[1., 2., 2.]]]])
    """
    high, wide = inputs.shape[2:]
    rows = (torch.arange(high, device=inputs.device) + down[:, None]).clamp(0, high - 1)
    columns = (torch.arange(wide, device=inputs.device) + right[:, None]).clamp(0, wide - 1)
    places = (rows[:, :, None] * wide + columns[:, None, :]).flatten(1)[:, None, :]
    pixels = inputs.flatten(2)
    return pixels.gather(2, places.expand_as(pixels)).view_as(inputs)
