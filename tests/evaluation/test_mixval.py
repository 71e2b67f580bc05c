"""Mixtures of target samples, for networks whose answers to them are known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limbeck.core import UsageError
from limbeck.evaluation import MixedConsistency, mixed_consistency, mixval


def sign(inputs: Tensor) -> Tensor:
    """Two classes, left and right of 0."""
    return torch.cat([-inputs, inputs], 1)


def bands(inputs: Tensor) -> Tensor:
    """Two classes in stripes of width 1: no mixture of the same class need keep it."""
    return torch.eye(2)[inputs[:, 0].floor().long() % 2]


def test_pairs_keep_a_convex_class_and_cross_the_boundary_by_their_larger_share() -> None:
    """At −1 and 1 the mixture lies at ±0.1, on the side of the larger share; between −1 and 3 it does not always."""
    x = torch.tensor([[-1.0], [1.0]]).repeat(20, 1)
    assert mixed_consistency(sign, x, sign(x)) == MixedConsistency(1.0, 1.0)
    lopsided = torch.tensor([[-1.0], [3.0]]).repeat(20, 1)  # 0.55 · −1 + 0.45 · 3 > 0
    within, across = mixed_consistency(sign, lopsided, sign(lopsided))
    assert within == 1.0
    assert 0.3 < across < 0.7  # whichever of the two is first: only those that begin at 3 keep their class


def test_classes_that_are_no_clusters_fail_within() -> None:
    x = 20 * torch.rand(400, 1, generator=torch.Generator().manual_seed(0))
    within, _ = mixed_consistency(bands, x, bands(x))
    assert within == pytest.approx(0.5, abs=0.1)


def test_every_sample_is_mixed_once_with_one_of_its_class_and_once_with_any_other() -> None:
    """0.55 x_i + 0.45 x_j tells which two were mixed, if samples are powers of a large number."""
    seen = []
    x = torch.tensor([[1.0], [10.0], [100.0], [1000.0], [10_000.0]], dtype=torch.float64)
    logits = torch.eye(2)[torch.tensor([0, 1, 0, 1, 0])]

    def predict(inputs: Tensor) -> Tensor:
        seen.append(inputs[:, 0])
        return torch.zeros(len(inputs), 2)

    mixed_consistency(predict, x, logits)
    values = x[:, 0].numpy()
    for mixtures, across in zip(seen, (False, True), strict=True):
        firsts = set()
        for mixture in mixtures.numpy():
            table = 0.55 * values[:, None] + 0.45 * values
            first, second = np.argwhere(np.isclose(table, mixture)).tolist()[0]
            assert first != second and ((first + second) % 2 == 1) == across  # classes alternate
            firsts.add(first)
        assert len(firsts) == len(mixtures)
    assert len(seen[0]) == 5


def test_mixval_is_the_mean_of_both_parts() -> None:
    x = torch.tensor([[-1.0], [3.0], [-2.0], [0.5]]).repeat(10, 1)
    assert mixval(sign, x, sign(x)) == pytest.approx(sum(mixed_consistency(sign, x, sign(x))) / 2)


def test_a_collapse_has_no_pair_across_and_a_class_of_one_none_within() -> None:
    x = torch.rand(10, 3, generator=torch.Generator().manual_seed(0))
    assert mixed_consistency(lambda z: torch.ones(len(z), 1), x, torch.ones(10, 1)) == (1.0, 0.0)
    assert mixed_consistency(sign, torch.tensor([[-1.0], [1.0]]), torch.eye(2)) == (0.0, 1.0)
    assert mixed_consistency(sign, torch.tensor([[-1.0]]), torch.eye(2)[:1]) == (0.0, 0.0)


def test_neither_another_call_nor_another_order_changes_it() -> None:
    x = torch.randn(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(16, 3, generator=torch.Generator().manual_seed(1))

    def predict(inputs: Tensor) -> Tensor:
        return inputs.flatten(1) @ weight

    value = mixval(predict, x, predict(x))
    assert 0 < value < 1
    torch.manual_seed(7)
    assert mixval(predict, x, predict(x)) == value
    moved = x[torch.randperm(60, generator=torch.Generator().manual_seed(2))]
    assert mixval(predict, moved, predict(moved)) == pytest.approx(value)


def test_words_cannot_be_mixed() -> None:
    words = torch.zeros(4, 3, dtype=torch.long)
    with pytest.raises(UsageError, match=r"mixval mixes inputs, and torch\.int64 cannot be mixed"):
        mixval(lambda inputs: torch.zeros(4, 2), words, torch.zeros(4, 2))
