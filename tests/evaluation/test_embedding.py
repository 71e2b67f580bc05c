import json
import time

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from limbeck.core import RunError, UsageError
from limbeck.evaluation import embed


def _domains(n, m, d=20, gap=20.0):
    random = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=random), torch.randn(m, d, generator=random) + gap


def _points(space):
    return np.array(space["source"] + space["target"])


def test_distant_domains_are_apart_and_lie_in_the_unit_square():
    source, target = _domains(40, 30)
    found = embed([("inputs", source, target)], torch.arange(40), None, seed=0)
    space = found["spaces"][0]
    points = _points(space)
    assert found["method"] == "t-SNE"
    assert points.shape == (70, 2) and points.min() == 0 and points.max() == 1
    assert np.ptp(points, axis=0).max() == 1
    within = max(pdist(points[:40]).max(), pdist(points[40:]).max())
    assert np.linalg.norm(points[:40].mean(0) - points[40:].mean(0)) > within / 2
    assert (space["source_classes"], space["target_classes"]) == (list(range(40)), None)
    json.dumps(found, allow_nan=False)


def test_few_points_are_shown_by_principal_components_with_one_scale():
    source, target = _domains(4, 3)
    found = embed([("inputs", source, target)], None, torch.tensor([2, 0, 1]), seed=0)
    assert found["method"] == "PCA"
    assert found["spaces"][0]["target_classes"] == [2, 0, 1]
    expected = pdist(PCA(2).fit_transform(torch.cat([source, target])))
    shown = pdist(_points(found["spaces"][0]))
    np.testing.assert_allclose(shown / shown.max(), expected / expected.max(), atol=3e-3)


def test_all_spaces_draw_the_same_samples_with_their_classes():
    labels = torch.arange(60)
    source = labels[:, None].float()
    target = torch.zeros(5, 1)
    found = embed([("one", source, target), ("two", -source, target)], labels, None, seed=3, cap=4)
    one, two = found["spaces"]
    assert found["method"] == "PCA" and len(one["source"]) == 4 and len(one["target"]) == 4
    assert one["source_classes"] == two["source_classes"]
    drawn = np.array(one["source_classes"] + [0] * 4, dtype=float)
    line = np.array(_points(one))[:, 0]
    assert abs(np.corrcoef(line, drawn)[0, 1]) > 0.999


def test_the_same_seed_draws_the_same_picture():
    source, target = _domains(30, 30)
    spaces = [("inputs", source, target)]
    assert embed(spaces, None, None, seed=1, cap=20) == embed(spaces, None, None, seed=1, cap=20)
    assert embed(spaces, None, None, seed=1, cap=20) != embed(spaces, None, None, seed=2, cap=20)


@pytest.mark.parametrize("width", [1, 2, 30])
def test_narrow_and_constant_features_are_drawn(width):
    constant = embed([("dead", torch.ones(8, width), torch.ones(8, width))], None, None, seed=0)
    assert (_points(constant["spaces"][0]) == 0.5).all()
    source, target = _domains(12, 12, width)
    assert _points(embed([("narrow", source, target)], None, None, seed=0)["spaces"][0]).max() == 1


def test_a_full_picture_takes_under_four_seconds():
    source, target = _domains(400, 400, 200)
    embed([("warm", source, target)], None, None, seed=0, cap=10)
    started = time.process_time()
    embed([("inputs", source, target)], None, None, seed=0)
    assert time.process_time() - started < 4


def test_bad_spaces_are_refused():
    source, target = _domains(6, 6)
    with pytest.raises(UsageError, match="same samples"):
        embed([("a", source, target), ("b", source[:5], target)], None, None, seed=0)
    with pytest.raises(UsageError, match="same samples"):
        embed([("a", source[:0], target)], None, None, seed=0)
    with pytest.raises(RunError, match="features of a are not finite"):
        embed([("a", source * torch.nan, target)], None, None, seed=0)
