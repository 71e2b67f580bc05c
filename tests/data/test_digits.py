"""The two domains of digits: disjoint, deterministic, as hard as they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import LogisticRegression

from limbeck.data import SplitSettings, prepare
from limbeck.data.digits import PATCH, REGION, Digits, _patches


@pytest.fixture(scope="module")
def raws() -> dict:
    return {"scan": Digits("scan").load(), "photo": Digits("photo").load(), "clean": Digits("photo", 0).load()}


def test_shapes_range_and_classes(raws: dict) -> None:
    for raw, count in ((raws["scan"], 797), (raws["photo"], 1000)):
        assert raw.inputs.shape == (count, 3, 16, 16) and raw.inputs.dtype == np.float32
        assert raw.inputs.min() >= 0 and raw.inputs.max() <= 1
        assert np.bincount(raw.labels.astype(int)).min() > count / 10.5
        assert raw.classes == tuple("0123456789")


def test_the_domains_are_two_parts_of_the_uci_digits(raws: dict) -> None:
    """Shrunk back to 8×8, each image is nearest to its own original, and every original is used once."""
    originals = torch.from_numpy(load_digits().images.astype(np.float32) / 16).flatten(1)
    used = []
    for name in ("scan", "clean"):
        images = torch.from_numpy(raws[name].inputs[:, :1])
        used.append(torch.cdist(torch.nn.functional.avg_pool2d(images, 2).flatten(1), originals).argmin(1).numpy())
        assert (load_digits().target[used[-1]].astype(str) == raws[name].labels).mean() > 0.995
    assert len(set(used[0]) & set(used[1])) <= 5  # a few originals are twins up to the smoothing
    assert len(set(used[0]) | set(used[1])) > 1780


def test_patches_lie_inside_their_region_of_the_photographs() -> None:
    patches, regions = _patches(np.arange(50) < 15)
    across = load_sample_images().images[0].shape[1] // REGION
    down = load_sample_images().images[0].shape[0] // REGION
    for patch, region in zip(patches, regions, strict=True):
        photograph, place = divmod(int(region), across * down)
        top, left = divmod(place, across)
        area = load_sample_images().images[photograph][
            top * REGION : (top + 1) * REGION, left * REGION : (left + 1) * REGION
        ]
        pixels = torch.from_numpy(area / 255).float().permute(2, 0, 1)
        pooled = torch.nn.functional.avg_pool2d(pixels, 2, stride=1)
        shifts = [(y, x) for y in range(REGION - PATCH + 1) for x in range(REGION - PATCH + 1)]
        found = [(pooled[:, y : y + PATCH : 2, x : x + PATCH : 2] - patch).abs().max() < 1e-5 for y, x in shifts]
        assert any(found)


def test_no_region_lies_in_two_splits(raws: dict) -> None:
    part = Digits("scan")
    _, target, _, _ = prepare(raws["scan"], raws["photo"], part.preprocessing(), SplitSettings(labelled=5))
    assert len(target.splits["test"]) == raws["photo"].test.sum() == 320
    rows = {**target.splits, "train": np.r_[target.splits["labelled"], target.splits["train"]]}
    held = [set(raws["photo"].groups[rows[name]]) for name in ("train", "selection", "test")]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    assert all(len(regions) > 20 for regions in held)


def test_loading_twice_gives_the_same_bits_and_severity_moves_away(raws: dict) -> None:
    assert (Digits("photo").load().inputs == raws["photo"].inputs).all()
    distances = [
        np.abs(Digits("photo", severity).load().inputs - raws["clean"].inputs).mean() for severity in (0.2, 0.45, 1.0)
    ]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_the_photographs_are_harder_for_what_learnt_on_scans(raws: dict) -> None:
    part = Digits("scan")
    source, target, _, _ = prepare(raws["scan"], raws["photo"], part.preprocessing(), SplitSettings())
    model = LogisticRegression(max_iter=200).fit(source.split_inputs("train").flatten(1), source.open("train", "test"))
    own, other = (
        model.score(domain.split_inputs("test").flatten(1), domain.open("test", "test")) for domain in (source, target)
    )
    assert own > 0.92
    assert 0.5 < other < own - 0.08
