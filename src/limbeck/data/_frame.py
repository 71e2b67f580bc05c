"""Where the content of a domain's images lies, and images moved to where another domain's lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Domain, UsageError
from limbeck.data._mapped import chunks, transformed, written

__all__ = ["Frame", "frame_of", "match_frames", "moved"]

SAMPLES = 4096
"""A frame is measured on at most so many images, taken evenly from all that train."""

LARGEST = 4.0
"""Content that is so many times as large, or as small, is no matter of framing."""

FAINT = 1e-3
"""An image with less than this share of the mean content is taken for empty."""


@dataclass(frozen=True)
class Frame:
    """Where the content of images lies: (x, y) in shares of the width and of the height.

    centre: its mean place, from the left and from the top. spread: its deviation about the centre of its own image,
    the root of the mean square over the images; 0 where there is none. ground: the value of each channel without
    content.
    """

    centre: tuple[float, float]
    spread: tuple[float, float]
    ground: tuple[float, ...]


def match_frames(source: Domain, target: Domain) -> None:
    """Scale and shift the source's images, all alike and each axis for itself, to where the target's content lies.

    Both frames are measured on the images that train, without labels. The target stays as it is, so that what is
    learnt needs no more than the target's own images. `UsageError` where the samples are no images, a domain shows
    nothing, or the sizes differ beyond 4 times.
    """
    if len(source.shape) != 3:
        raise UsageError(
            "The 'match' of the recipe is frame, which is for images, [channels, height, width]. The samples of "
            f"{source.name} are {list(source.shape)}. Leave 'match' out."
        )
    own, wanted = (_measured(domain) for domain in (source, target))
    x, y = (there / here for here, there in zip(own.spread, wanted.spread, strict=True))
    if not 1 / LARGEST <= min(x, y) <= max(x, y) <= LARGEST:
        raise UsageError(
            f"What the images of {target.name} show is {x:.2g} times as wide and {y:.2g} times as high as in those of "
            f"{source.name}: 'match' goes up to {LARGEST:g} times. Crop or resize one of them first."
        )
    source.inputs = _changed(source, lambda images: moved(images, own, wanted))
    source.notes = (*source.notes, f"Images scaled by {x:.2f} across and {y:.2f} down, to lie as in {target.name}.")


def frame_of(images: Float[Tensor, "n c h w"]) -> Frame:
    """The frame of images: content is the squared difference from the ground, the median of all border pixels.

    Each image counts alike, whatever its contrast, but those that are all but empty; dark on light is as light on
    dark.

    >>> images = torch.zeros(2, 1, 4, 4)
    >>> images[:, :, 1:3, 2] = 5.0
    >>> frame_of(images)
    Frame(centre=(0.625, 0.5), spread=(0.0, 0.125), ground=(0.0,))
    """
    border = torch.cat([images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]], 2)
    ground = border.transpose(0, 1).flatten(1).median(1).values
    content = (images.double() - ground[:, None, None]).square().sum(1)
    mass = content.sum((1, 2))
    shown = mass > FAINT * mass.mean()
    shares = content[shown] / mass[shown, None, None]
    (x, wide), (y, high) = _moments(shares.sum(1)), _moments(shares.sum(2))
    return Frame((x, y), (wide, high), tuple(ground.tolist()))


def moved(images: Float[Tensor, "n c h w"], own: Frame, wanted: Frame) -> Float[Tensor, "n c h w"]:
    """Images of the frame `own` brought to the frame `wanted`: `out(p) = in(c + (p − c') / s)`, s = σ' / σ by axis.

    Between pixels linearly, and by a triangle 1/s pixels to either side where s < 1, so that what gets smaller is
    averaged; beyond the image lies the ground.

    >>> own, wanted = Frame((0.5, 0.5), (0.2, 0.2), (0.0,)), Frame((0.75, 0.5), (0.2, 0.2), (0.0,))
    >>> moved(torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]), own, wanted)
    tensor([[[[0., 1., 2., 3.]]]])
    """
    high, wide = images.shape[2:]
    across = _resampling(wide, own.centre[0], wanted.centre[0], wanted.spread[0] / own.spread[0])
    down = _resampling(high, own.centre[1], wanted.centre[1], wanted.spread[1] / own.spread[1])
    ground = torch.tensor(own.ground, dtype=images.dtype)[:, None, None]
    return down.to(images) @ (images - ground) @ across.T.to(images) + ground


def _measured(domain: Domain) -> Frame:
    own = [rows for split, rows in domain.splits.items() if split in ("labelled", "train")]
    rows = torch.from_numpy(np.concatenate(own))
    frame = frame_of(domain.inputs[rows[:: max(1, -(-len(rows) // SAMPLES))]])
    if not min(frame.spread) > 0:
        raise UsageError(
            f"The images of {domain.name} have no content with a width and a height, by which 'match' could frame "
            "them. Leave 'match' out."
        )
    return frame


def _moments(shares: Float[Tensor, "n places"]) -> tuple[float, float]:
    """Mean place, and deviation within each row, of distributions over the pixels of a side."""
    if not len(shares):
        return 0.5, 0.0
    places = (torch.arange(shares.shape[1], dtype=shares.dtype) + 0.5) / shares.shape[1]
    centres = shares @ places
    squares = (shares * (places - centres[:, None]).square()).sum(1)
    return float(centres.mean()), float(squares.mean().sqrt())


def _resampling(size: int, centre: float, wanted: float, scale: float) -> Float[Tensor, "size size"]:
    """Weights of a side's old pixels (columns) in the new ones; what lies outside keeps its share, and is dropped."""
    reach = int(LARGEST + 1) * size
    old = torch.arange(-reach, size + reach, dtype=torch.float64)
    places = centre + ((torch.arange(size, dtype=torch.float64) + 0.5) / size - wanted) / scale
    weights = (1 - (places[:, None] * size - 0.5 - old).abs() / max(1.0, 1 / scale)).clamp_min(0)
    return (weights / weights.sum(1, keepdim=True))[:, reach : reach + size]


def _changed(domain: Domain, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The inputs changed, in memory or in a new file, as they were."""
    if not domain.mapped:
        return transformed(domain.inputs.numpy(), domain.shape, lambda rows: change(torch.from_numpy(rows)))
    parts = (change(torch.from_numpy(rows)) for rows in chunks(domain.inputs.numpy()))
    return written(parts, tuple(domain.inputs.shape), domain.raw.scratch)
