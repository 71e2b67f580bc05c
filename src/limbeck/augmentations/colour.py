"""Changes of brightness, contrast and saturation."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from limbeck.augmentations import Augmentation
from limbeck.augmentations._images import check_images, each, exact_mean
from limbeck.core import Draws, UsageError

__all__ = ["Colour"]


class Colour(Augmentation):
    """Make images brighter or darker, stronger or weaker in contrast, more or less colourful.

    `x ← g + (1 + s·u)(x − g)` with the pixel's grey g, then `x ← m + (1 + c·u)(x − m)` with the image's mean m,
    then `x ← x + b·u`, where u is uniform in [−1, 1), another one each time.

    brightness b: in standard deviations of the source's pixels. contrast c, saturation s: as shares of what
    is there. Saturation needs three channels.

    >>> import torch
    >>> images = torch.rand(2, 3, 8, 8)
    >>> Colour(brightness=0.5)(images, Draws(0, torch.arange(2))).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        brightness: Annotated[float, Ge(0)] = 0.2,
        contrast: Annotated[float, Ge(0), Le(1)] = 0.2,
        saturation: Annotated[float, Ge(0), Le(1)] = 0.2,
    ):
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation

    def check(self, shape: tuple[int, ...]) -> None:
        check_images("colour", shape)
        if self.saturation and shape[0] != 3:
            raise UsageError(
                f"The saturation of colour needs images of 3 channels. Got {shape[0]} in {list(shape)}. "
                "Write colour: {saturation: 0} for these data."
            )

    def __call__(self, inputs: Float[Tensor, " n *shape"], draws: Draws) -> Float[Tensor, " n *shape"]:
        if self.saturation:
            inputs = saturated(inputs, 1 + self.saturation * draws.uniform("saturation").mul(2).sub(1))
        if self.contrast:
            inputs = contrasted(inputs, 1 + self.contrast * draws.uniform("contrast").mul(2).sub(1))
        if self.brightness:
            inputs = inputs + each(self.brightness * draws.uniform("brightness").mul(2).sub(1))
        return inputs


def saturated(inputs: Float[Tensor, "n 3 h w"], factor: Float[Tensor, " n"]) -> Float[Tensor, "n 3 h w"]:
    """`g + factor·(x − g)`, g the mean of the three channels.

    >>> import torch
    >>> saturated(torch.tensor([0.0, 3.0, 6.0]).view(1, 3, 1, 1), torch.tensor([0.5])).flatten()
    tensor([1.5000, 3.0000, 4.5000])
    """
    red, green, blue = inputs.split(1, 1)
    grey = (red + green + blue) / 3
    return grey + each(factor) * (inputs - grey)


def contrasted(inputs: Float[Tensor, "n c h w"], factor: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """`m + factor·(x − m)`, m the image's mean over all channels.

    >>> import torch
    >>> contrasted(torch.tensor([0.0, 2.0]).view(1, 1, 1, 2), torch.tensor([2.0])).flatten()
    tensor([-1.,  3.])
    """
    mean = exact_mean(inputs)
    return mean + each(factor) * (inputs - mean)
