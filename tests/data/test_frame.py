"""Frames in closed form; images moved against an independent resampling; domains that end up where they should."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform
from torch import Tensor

from limbeck.core import UsageError
from limbeck.data import Raw, SplitSettings, _mapped, prepare, restore_preprocessing
from limbeck.data._frame import Frame, frame_of, moved
from limbeck.data._images import ImagePreprocessing
from limbeck.data._mapped import Mapped
from limbeck.data._vectors import VectorPreprocessing


def blots(centre: tuple[float, float], spread: tuple[float, float], count: int = 40, side: int = 40) -> np.ndarray:
    """Gaussian blots [n, side, side] in [0, 1] at (x, y), each a little apart from the centre, of unequal contrast."""
    random = np.random.default_rng(0)
    places = (np.arange(side) + 0.5) / side
    off = random.normal(0, 0.02, (count, 2, 1))
    # what is measured is the square, whose deviation is that of the blot divided by √2
    x, y = (np.exp(-((places - centre[k] - off[:, k]) ** 2) / (4 * spread[k] ** 2)) for k in (0, 1))
    return random.uniform(0.4, 1, (count, 1, 1)) * y[:, :, None] * x[:, None, :]


def tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images[:, None].astype(np.float32))


def raw(images: np.ndarray | Mapped, name: str = "lab") -> Raw:
    return Raw(name, images, np.array(["no", "yes"], dtype=object)[np.arange(len(images)) % 2], "classification")


def framed(source: np.ndarray | Mapped, target: np.ndarray, match: str = "frame"):
    return prepare(raw(source), raw(target, "field"), ImagePreprocessing(), SplitSettings(), match=match)


def test_a_frame_in_closed_form() -> None:
    found = frame_of(tensor(blots((0.45, 0.55), (0.08, 0.12))))
    assert found.centre == pytest.approx((0.45, 0.55), abs=0.01)
    assert found.spread == pytest.approx((0.08, 0.12), rel=0.01)
    assert found.ground == pytest.approx((0.0,), abs=1e-3)


def test_contrast_brightness_and_sign_change_no_frame() -> None:
    images = tensor(blots((0.5, 0.5), (0.1, 0.07)))
    images -= images[:, :, :1, :1]
    found = frame_of(images)
    for other in (frame_of(5 * images + 3), frame_of(1 - images), frame_of(torch.cat([images, 2 * images], 1))):
        assert other.centre == pytest.approx(found.centre, abs=1e-5)
        assert other.spread == pytest.approx(found.spread, rel=1e-4)
    assert frame_of(1 - images).ground == pytest.approx((1.0,), abs=1e-3)
    with_empty = frame_of(torch.cat([images, torch.zeros(30, 1, 40, 40), torch.full((30, 1, 40, 40), 1e-3)]))
    assert with_empty.spread == pytest.approx(found.spread, rel=1e-4)


@pytest.mark.parametrize(("x", "y"), list(itertools.product((0.5, 1.0, 1.3), (0.7, 2.0))))
def test_moved_images_have_the_wanted_frame_and_keep_their_values(x: float, y: float) -> None:
    images = tensor(blots((0.5, 0.45), (0.07, 0.05)))
    own = frame_of(images)
    wanted = Frame((0.48, 0.55), (own.spread[0] * x, own.spread[1] * y), own.ground)
    made = moved(images, own, wanted)
    found = frame_of(made)
    assert found.centre == pytest.approx(wanted.centre, abs=2e-3)
    assert found.spread == pytest.approx(wanted.spread, rel=0.03)
    assert made.sum() / images.sum() == pytest.approx(x * y, rel=0.01)  # the area scales, no brightness is lost
    assert made.min() >= images.min() - 1e-6 and made.max() <= images.max() + 1e-6


def test_enlarging_is_the_linear_interpolation_of_scipy() -> None:
    random = np.random.default_rng(0)
    image, ground = random.normal(size=(9, 12)), 0.7
    own, wanted = Frame((0.4, 0.6), (0.1, 0.2), (ground,)), Frame((0.55, 0.5), (0.13, 0.28), (ground,))
    steps = np.array([1 / 1.4, 1 / 1.3])
    sides, centres, places = np.array([9, 12]), np.array([0.6, 0.4]), np.array([0.5, 0.55])
    offset = sides * (centres - places * steps) + 0.5 * steps - 0.5
    expected = affine_transform(np.pad(image, 3, constant_values=ground), steps, offset + 3, image.shape, order=1)
    found = moved(torch.from_numpy(image)[None, None].float(), own, wanted)
    assert np.allclose(found[0, 0].numpy(), expected, atol=1e-5)
    assert torch.equal(moved(found, own, own), found)


def test_shrinking_averages_and_shows_ground_beyond_the_image() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 32, 32)
    half = moved(stripes, Frame((0.5, 0.5), (0.2, 0.2), (-3.0,)), Frame((0.5, 0.5), (0.1, 0.1), (-3.0,)))[0, 0]
    assert torch.allclose(half[10:22, 10:22], torch.full((12, 12), 0.5))
    assert torch.equal(half[:7], torch.full((7, 32), -3.0)) and torch.equal(half[:, 25:], torch.full((32, 7), -3.0))


def test_the_source_comes_to_lie_as_the_target_and_nothing_else_changes() -> None:
    small, large = blots((0.5, 0.5), (0.05, 0.07)), blots((0.45, 0.5), (0.1, 0.09), 60)
    plain, kept, _, _ = framed(small, large, "none")
    source, target, fitted, _ = framed(small, large)
    own, wanted = (frame_of(domain.split_inputs("train")) for domain in (source, target))
    assert own.spread == pytest.approx(wanted.spread, rel=0.03) and own.centre == pytest.approx(
        wanted.centre, abs=0.005
    )
    assert torch.equal(target.inputs, kept.inputs) and torch.equal(fitted.transform(large), target.inputs)
    assert fitted.state() == framed(small, large, "none")[2].state()
    assert source.inputs.shape == plain.inputs.shape and not torch.equal(source.inputs, plain.inputs)
    assert torch.equal(restore_preprocessing(fitted.state()).transform(large), target.inputs)
    assert source.notes[-1] == "Images scaled by 2.00 across and 1.29 down, to lie as in field."


def test_only_images_that_train_are_measured() -> None:
    small, large = blots((0.5, 0.5), (0.05, 0.07)), blots((0.5, 0.5), (0.1, 0.09), 60)
    source, target, _, _ = framed(small, large)
    changed = large.copy()
    for split in ("selection", "test"):
        changed[target.splits[split]] = large[target.splits[split]].transpose(0, 2, 1)
    assert torch.equal(framed(small, changed)[0].inputs, source.inputs)


def test_images_in_a_file_are_moved_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mapped, "CHUNK", 5000)
    small, large = blots((0.5, 0.5), (0.05, 0.07)), blots((0.5, 0.5), (0.1, 0.09), 60)
    np.save(tmp_path / "inputs.npy", small)
    source = framed(Mapped(np.load(tmp_path / "inputs.npy", mmap_mode="r")), large)[0]
    assert source.mapped and torch.equal(source.inputs, framed(small, large)[0].inputs)
    assert [file.name for file in tmp_path.iterdir()] == ["inputs.npy"]


def test_what_cannot_be_framed_is_refused() -> None:
    images = blots((0.5, 0.5), (0.1, 0.1))
    with pytest.raises(UsageError, match="'match' of the recipe is frame, which is for images"):
        prepare(raw(images[:, 0]), raw(images[:, 0]), VectorPreprocessing(), SplitSettings(), match="frame")
    with pytest.raises(UsageError, match="The images of field have no content"):
        framed(images, np.zeros_like(images))
    with pytest.raises(UsageError, match="is 10 times as wide and 1 times as high"):
        framed(blots((0.5, 0.5), (0.01, 0.1), side=80), blots((0.5, 0.5), (0.1, 0.1), side=80))
