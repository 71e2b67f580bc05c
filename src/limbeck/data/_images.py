"""Images: one size, one number of channels, scaled by the source's mean and deviation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from limbeck.core import UsageError, bad_value
from limbeck.data._arrays import check_finite, read_array
from limbeck.data._data import Inputs, Preprocessing
from limbeck.data._mapped import Mapped, Moments, chunks, transformed

__all__ = ["ImagePreprocessing"]

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
"""The weights of red, green and blue in grey (ITU-R BT.601)."""


class ImagePreprocessing(Preprocessing):
    """Images as float32 [n, channels, height, width], each channel centred and divided by its deviation.

    Channels and size come from the source, or the images become `size`×`size`; resizing is
    bilinear with antialias. Grey is repeated where the source has colour; colour becomes its
    luma where the source is grey. Bytes are divided by 255 unless the source is made of floats
    beyond [0, 1]. normalise: False leaves the pixels at [0, 1].

    Inputs are [n, h, w], [n, channels, h, w] or [n, h, w, channels].

    >>> images = np.zeros((4, 8, 8), dtype=np.uint8)
    >>> images[:2] = 255
    >>> fitted = ImagePreprocessing(size=4).fit(images)
    >>> fitted.transform(images[:1]).shape, float(fitted.transform(images[:1]).max())
    (torch.Size([1, 1, 4, 4]), 1.0)
    """

    def __init__(self, size: int | None = None, normalise: bool = True):
        if size is not None and size < 1:
            raise bad_value("size", "the images", "≥ 1", size)
        self.size = size
        self.normalise = normalise

    def fit(self, inputs: Inputs) -> Self:
        images = _checked(inputs)
        one = _channels_first(images[:1])
        self.channels, *shape = one.shape[1:]
        self.shape = (self.size, self.size) if self.size else (int(shape[0]), int(shape[1]))
        unit = one.dtype == torch.uint8 or all(chunk.max().astype(np.float32) <= 1 for chunk in chunks(images))
        self.divisor = 255.0 if unit else 1.0
        self.mean, self.deviation = [0.0] * self.channels, [1.0] * self.channels
        if self.normalise:
            moments = Moments()
            for chunk in chunks(images):
                moments.add(self._even(chunk).transpose(0, 1).flatten(1).numpy())
            self.mean = moments.mean.tolist()
            self.deviation = np.where(moments.deviation > 1e-6, moments.deviation, 1.0).tolist()
        return self

    def transform(self, inputs: Inputs) -> Tensor:
        mean, deviation = (torch.tensor(value).view(1, -1, 1, 1) for value in (self.mean, self.deviation))
        shape = (self.channels, *self.shape)
        return transformed(_checked(inputs), shape, lambda images: self._even(images).sub_(mean).div_(deviation))

    def state(self) -> dict[str, Any]:
        return {
            "kind": "images",
            "channels": self.channels,
            "shape": list(self.shape),
            "divisor": self.divisor,
            "mean": self.mean,
            "deviation": self.deviation,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        made = cls()
        made.channels = state["channels"]
        made.shape = (state["shape"][0], state["shape"][1])
        made.divisor = state["divisor"]
        made.mean, made.deviation = list(state["mean"]), list(state["deviation"])
        return made

    def read(self, path: Path) -> np.ndarray | Mapped:
        """Images from an array (.npy, a folder with inputs.npy, .npz), a picture, or a folder of them by name."""
        if path.suffix in (".npy", ".npz") or (path / "inputs.npy").is_file():
            return read_array(path)
        if not path.exists():
            raise UsageError(f"There is no file {path}.")
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES) if path.is_dir() else [path]
        if not files:
            raise UsageError(f"The folder {path} holds no picture ({', '.join(PICTURES)}).")
        pictures = [_picture(file, self.channels) for file in files]
        if len({picture.shape for picture in pictures}) == 1:
            return np.stack(pictures)
        return np.concatenate([self._even(picture[None]).numpy() for picture in pictures])

    def _even(self, inputs: np.ndarray) -> Tensor:
        """A new float tensor with the source's channels and size, pixels in the source's unit."""
        images = _channels_first(inputs)
        if not images.is_floating_point():
            divisor = self.divisor if images.dtype == torch.uint8 else 1.0
        elif self.divisor != 1 and len(images) and images.max() > 2:
            raise UsageError(
                f"The source's pixels lie in [0, 1] or are bytes, and here are floats up to {float(images.max()):g}. "
                "Give bytes (uint8), or divide by 255."
            )
        else:
            divisor = 1.0
        even = _recoloured(images.to(torch.float32, copy=True).div_(divisor), self.channels)
        if even.shape[2:] != self.shape:
            even = functional.interpolate(even, self.shape, mode="bilinear", antialias=True, align_corners=False)
        return even.contiguous()


PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def _picture(path: Path, channels: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(f"{path} is not a picture that can be read: {error}") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _checked(inputs: Inputs) -> np.ndarray | Mapped:
    if not isinstance(inputs, np.ndarray | Mapped) or inputs.ndim not in (3, 4) or inputs.dtype.kind not in "biuf":
        got = list(inputs.shape)
        raise UsageError(f"Images are numbers [n, h, w] or [n, channels, h, w]. Got {type(inputs).__name__} {got}.")
    if 0 in inputs.shape[1:]:
        raise UsageError(f"The images are empty: {list(inputs.shape)}.")
    check_finite(inputs, np.float32)
    return inputs


def _channels_first(inputs: np.ndarray) -> Tensor:
    """The images as [n, channels, h, w], bytes or float32."""
    array = inputs.astype(np.float32) if inputs.dtype.kind == "f" else inputs
    if array.dtype.kind in "iub" and array.dtype != np.uint8:
        array = array.astype(np.float32) if array.dtype.kind != "b" else array.astype(np.uint8) * np.uint8(255)
    if array.ndim == 3:
        array = array[:, None]
    elif array.shape[1] not in (1, 3) and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(array))


def _recoloured(images: Tensor, channels: int) -> Tensor:
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    if images.shape[1] == 3 and channels == 1:
        return (images * LUMA).sum(1, keepdim=True)
    raise UsageError(f"The source's images have {channels} channels, these have {images.shape[1]}.")
