"""Images brought to the source's size, colours and scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limbeck.core import UsageError
from limbeck.data._images import ImagePreprocessing

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (12, 10, 8), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (12, 3, 10, 8), dtype=np.uint8)


def plain(images: np.ndarray, size: int | None = None) -> ImagePreprocessing:
    return ImagePreprocessing(size, normalise=False).fit(images)


def test_each_channel_of_the_source_is_standardised() -> None:
    made = ImagePreprocessing().fit(COLOUR).transform(COLOUR)
    assert made.shape == (12, 3, 10, 8) and made.dtype == torch.float32
    assert torch.allclose(made.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(made.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


def test_bytes_and_floats_of_the_same_picture_agree() -> None:
    fitted = ImagePreprocessing().fit(GREY)
    assert torch.allclose(fitted.transform(GREY / 255), fitted.transform(GREY), atol=1e-6)
    assert torch.allclose(ImagePreprocessing().fit(GREY / 255).transform(GREY), fitted.transform(GREY), atol=1e-5)
    with pytest.raises(UsageError, match="floats up to 255"):
        fitted.transform(GREY.astype(np.float32))


def test_floats_beyond_one_stay_as_they_are() -> None:
    assert (plain(GREY * 2.0).transform(GREY * 2.0)[:, 0].numpy() == GREY * 2.0).all()


def test_channels_last_and_no_channel_are_understood() -> None:
    fitted = plain(COLOUR)
    assert torch.equal(fitted.transform(COLOUR.transpose(0, 2, 3, 1)), fitted.transform(COLOUR))
    assert torch.equal(plain(GREY).transform(GREY[:, None]), plain(GREY).transform(GREY))


def test_grey_and_colour_follow_the_source() -> None:
    grey = plain(COLOUR).transform(GREY)
    assert grey.shape == (12, 3, 10, 8) and torch.equal(grey[:, 0], grey[:, 2])
    luma = plain(GREY).transform(COLOUR)[0, 0].numpy() * 255
    reference = np.asarray(Image.fromarray(COLOUR[0].transpose(1, 2, 0)).convert("L"))
    assert np.abs(luma - reference).max() <= 1
    with pytest.raises(UsageError, match="have 3 channels, these have 4"):
        plain(COLOUR).transform(np.zeros((1, 4, 10, 8)))


@pytest.mark.parametrize("shape", [(5, 4), (20, 24)])
def test_resizing_equals_pillow(shape: tuple[int, int]) -> None:
    made = plain(np.zeros((1, *shape), np.uint8)).transform(GREY)[0, 0].numpy()
    reference = Image.fromarray(GREY[0].astype(np.float32) / 255).resize(shape[::-1], Image.Resampling.BILINEAR)
    assert np.allclose(made, np.asarray(reference), atol=1e-4)


def test_size_wins_over_the_source() -> None:
    assert plain(GREY, 16).transform(COLOUR).shape == (12, 1, 16, 16)
    with pytest.raises(UsageError, match="'size'"):
        ImagePreprocessing(0)


def test_a_constant_source_stays_finite() -> None:
    assert ImagePreprocessing().fit(np.zeros_like(GREY)).transform(GREY).isfinite().all()


def test_pictures_are_read_alone_in_folders_and_as_arrays(tmp_path: Path) -> None:
    fitted = ImagePreprocessing().fit(COLOUR)
    for name, image in zip("ba", COLOUR, strict=False):
        Image.fromarray(image.transpose(1, 2, 0)).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").touch()
    expected = fitted.transform(COLOUR[[1, 0]])
    assert torch.equal(fitted.transform(fitted.read(tmp_path)), expected)
    assert torch.equal(fitted.transform(fitted.read(tmp_path / "a.png")), expected[:1])
    Image.fromarray(GREY[0]).resize((30, 30)).save(tmp_path / "c.jpg")
    mixed = fitted.transform(fitted.read(tmp_path))
    assert mixed.shape == (3, 3, 10, 8) and torch.allclose(mixed[:2], expected, atol=1e-6)
    np.save(tmp_path / "x.npy", COLOUR)
    np.savez(tmp_path / "x.npz", inputs=COLOUR)
    for name in ("x.npy", "x.npz"):
        assert torch.equal(fitted.transform(fitted.read(tmp_path / name)), fitted.transform(COLOUR))


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    fitted = ImagePreprocessing().fit(GREY)
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    for name, words in (("a.png", "is not a picture"), ("b.png", "There is no file"), ("empty", "holds no picture")):
        with pytest.raises(UsageError, match=words):
            fitted.read(tmp_path / name)
    for images in (np.zeros((2, 2)), np.array([[["a"]]])):
        with pytest.raises(UsageError, match="Images are numbers"):
            fitted.transform(images)
    with pytest.raises(UsageError, match="1 of 2 rows hold NaN"):
        fitted.transform(np.stack([np.zeros((4, 4)), np.full((4, 4), np.nan)]))
