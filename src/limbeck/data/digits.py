"""Handwritten digits as two domains without a download: scanned, and photographed on coloured ground."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from limbeck.core import generator
from limbeck.data import Data, Preprocessing, Raw
from limbeck.data._images import ImagePreprocessing
from limbeck.data._splits import stratified_choice

__all__ = ["Digits"]

SIZE = 16
REGION = 40
PATCH = 32
PHOTO_SAMPLES = 1000
PHOTO_TEST = 320


class Digits(Data):
    """The 1,797 digits of the UCI set in scikit-learn, divided once into two domains of 16×16 colour images.

    `scan` holds 797 of them as they are, grey. `photo` holds the other 1,000, each blended into a
    patch of scikit-learn's two photographs by |patch - digit| per colour, after MNIST-M (Ganin and
    Lempitsky 2015), turned, blurred and unevenly lit. The domains share no original. The patches
    are cut out of regions that do not overlap; a region is a group and so lies in one split, and
    the 320 test images use regions of their own. Pixels lie in [0, 1].

    severity: how strong the ground, the turn, the blur and the light are; 0 leaves the scan.

    >>> photo = Digits("photo").load()
    >>> photo.inputs.shape, int(photo.test.sum())
    ((1000, 3, 16, 16), 320)
    """

    def __init__(self, domain: Literal["scan", "photo"] = "scan", severity: Annotated[float, Ge(0)] = 0.4):
        self.domain = domain
        self.severity = severity

    def load(self) -> Raw:
        from sklearn.datasets import load_digits

        bundle = load_digits()
        numbers = bundle.target.astype(np.int64)
        is_photo = stratified_choice(numbers, PHOTO_SAMPLES, generator(0, "digits", "domain"))
        chosen = is_photo if self.domain == "photo" else ~is_photo
        digits = torch.from_numpy(bundle.images[chosen].astype(np.float32) / 16)[:, None]
        labels = numbers[chosen].astype(str).astype(object)
        classes = tuple("0123456789")
        if self.domain == "scan":
            images = _turned(digits, torch.zeros(len(digits))).clamp(0, 1).repeat(1, 3, 1, 1)
            return Raw("scan", images.numpy(), labels, "classification", classes)
        test = stratified_choice(numbers[chosen], PHOTO_TEST, generator(0, "digits", "test"))
        patches, regions = _patches(test)
        images = _photographed(digits, patches, self.severity)
        return Raw("photo", images.numpy(), labels, "classification", classes, groups=regions, test=test)

    def preprocessing(self) -> Preprocessing:
        return ImagePreprocessing()


def _patches(test: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """A patch per row and the region that it lies in; test rows draw from regions of their own."""
    from sklearn.datasets import load_sample_images

    photographs = [torch.from_numpy(image.astype(np.float32) / 255) for image in load_sample_images().images]
    height, width = photographs[0].shape[0] // REGION, photographs[0].shape[1] // REGION
    random = generator(0, "digits", "patches")
    regions = random.permutation(len(photographs) * height * width)
    shared = round(len(regions) * test.mean())
    region_of = np.empty(len(test), dtype=np.int64)
    for rows, own in ((test, regions[:shared]), (~test, regions[shared:])):
        region_of[rows] = own[np.arange(rows.sum()) % len(own)]
    shifts = random.integers(0, REGION - PATCH + 1, size=(len(test), 2))
    patches = []
    for region, (down, right) in zip(region_of, shifts, strict=True):
        photograph, place = divmod(int(region), height * width)
        top, left = (place // width) * REGION + down, (place % width) * REGION + right
        patches.append(photographs[photograph][top : top + PATCH, left : left + PATCH])
    images = torch.stack(patches).permute(0, 3, 1, 2)
    return functional.avg_pool2d(images, PATCH // SIZE), region_of


def _photographed(digits: Tensor, patches: Tensor, severity: float) -> Tensor:
    random = generator(0, "digits", "camera")
    count = len(digits)

    def uniform(low: float, high: float) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, count).astype(np.float32))

    turned = _turned(digits, severity * uniform(-math.pi / 8, math.pi / 8)).clamp(0, 1)
    images = blend(turned, min(1.0, severity) * patches)
    share = (severity * uniform(0, 0.5)).clamp(0, 1).view(-1, 1, 1, 1)
    images = (1 - share) * images + share * _blurred(images)
    direction = uniform(0, 2 * math.pi)
    line = torch.linspace(-1, 1, SIZE)
    slope = torch.cos(direction).view(-1, 1, 1) * line + torch.sin(direction).view(-1, 1, 1) * line.view(-1, 1)
    light = 1 + (severity * uniform(0, 0.6)).view(-1, 1, 1) * slope
    return (images * light[:, None]).clamp(0, 1)


def blend(digits: Float[Tensor, "n 1 h w"], patches: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """|patch - digit|, per pixel and colour: the stroke shows the negative of its ground.

    >>> blend(torch.ones(1, 1, 1, 1), torch.full((1, 3, 1, 1), 0.25)).flatten().tolist()
    [0.75, 0.75, 0.75]
    """
    return (patches - digits).abs()


def _turned(digits: Tensor, angles: Tensor) -> Tensor:
    """Digits [n, 1, 8, 8] turned by `angles` (radians) and enlarged to 16×16 in one smooth step."""
    zeros = torch.zeros_like(angles)
    rows = [torch.stack([angles.cos(), -angles.sin(), zeros], 1), torch.stack([angles.sin(), angles.cos(), zeros], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), [len(digits), 1, SIZE, SIZE], align_corners=False)
    return functional.grid_sample(digits, grid, mode="bicubic", padding_mode="zeros", align_corners=False)


def _blurred(images: Tensor) -> Tensor:
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = torch.outer(line, line).expand(images.shape[1], 1, 5, 5)
    return functional.conv2d(functional.pad(images, (2, 2, 2, 2), mode="replicate"), kernel, groups=images.shape[1])
