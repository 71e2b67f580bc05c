"""Several validators as one: ranks and z-scores by hand."""

import math
from statistics import mean, pstdev

import numpy as np
import pytest

from limbeck.core import UsageError
from limbeck.evaluation import combined


def test_ranks_by_hand() -> None:
    scores = {"a": [0.1, 0.9, 0.5], "b": [10.0, 30.0, 20.0], "c": [-1.0, -3.0, -2.0]}
    assert combined(scores).tolist() == pytest.approx([(0 + 0 + 1) / 3, (1 + 1 + 0) / 3, 0.5])


def test_equal_scores_share_their_rank_and_a_constant_has_no_say() -> None:
    assert combined({"a": [1.0, 1.0, 0.0]}).tolist() == [0.75, 0.75, 0.0]
    scores = {"a": [3.0, 1.0, 2.0]}
    for by, neutral in (("ranks", 0.5), ("z_scores", 0.0)):
        alone, with_constant = combined(scores, by), combined({**scores, "b": [7.0] * 3}, by)
        assert with_constant.tolist() == pytest.approx(((alone + neutral) / 2).tolist())
        assert combined({"b": [0.1] * 3}, by).tolist() == [neutral] * 3


def test_any_growing_transformation_leaves_the_ranks() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20))
    assert np.array_equal(combined({"a": a, "b": b}), combined({"a": np.exp(a), "b": b**3}))


def test_z_scores_by_hand() -> None:
    a, b = [0.1, 0.9, 0.5], [10.0, 30.0, 40.0]
    expected = [((x - mean(a)) / pstdev(a) + (y - mean(b)) / pstdev(b)) / 2 for x, y in zip(a, b, strict=True)]
    assert combined({"a": a, "b": b}, "z_scores").tolist() == pytest.approx(expected)
    assert combined({"a": [1e9 * x - 5 for x in a], "b": b}, "z_scores").tolist() == pytest.approx(expected)


def test_nan_is_last_in_ranks_and_an_error_in_z_scores() -> None:
    assert combined({"a": [math.nan, -5.0, -math.inf]}).tolist() == [0.25, 1.0, 0.25]
    with pytest.raises(UsageError, match=r"finite.*Combine them by ranks"):
        combined({"a": [math.nan, 1.0]}, "z_scores")


def test_one_checkpoint_and_wrong_lengths() -> None:
    assert combined({"a": [3.0], "b": [-1.0]}).tolist() == [0.5]
    assert combined({"a": [3.0], "b": [-1.0]}, "z_scores").tolist() == [0.0]
    for scores in ({}, {"a": []}, {"a": [1.0], "b": [1.0, 2.0]}):
        with pytest.raises(UsageError, match="'scores' of combined must be the same number of checkpoints"):
            combined(scores)
