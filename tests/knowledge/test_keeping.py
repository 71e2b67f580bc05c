"""What is kept: the top k and their tail, and kept types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from limbeck.core import UsageError
from limbeck.knowledge import Keeping
from limbeck.knowledge._keeping import in_kept_type, mass_of, read_logits, top_answers, top_count, top_logits

LOGITS = 3 * torch.randn(40, 9, generator=torch.Generator().manual_seed(0))


def probabilities(logits: torch.Tensor) -> np.ndarray:
    values = np.exp(logits.double().numpy())
    return values / values.sum(1, keepdims=True)


@pytest.mark.parametrize("k", range(1, 10))
def test_the_top_k_and_the_sum_of_the_rest_are_exact(k: int) -> None:
    back, whole = probabilities(read_logits(top_logits(LOGITS, k), 9)), probabilities(LOGITS)
    order = np.argsort(-whole, axis=1)
    for ranks in (order[:, :k], order[:, k:]):
        assert np.allclose(
            np.take_along_axis(back, ranks, 1).sum(1), np.take_along_axis(whole, ranks, 1).sum(1), atol=1e-6
        )
    assert np.allclose(np.take_along_axis(back, order[:, :k], 1), np.take_along_axis(whole, order[:, :k], 1), atol=1e-6)
    rest = np.take_along_axis(back, order[:, k:], 1)
    assert k == 9 or np.allclose(rest, rest[:, :1], atol=1e-7)


def test_with_all_classes_nothing_changes() -> None:
    assert read_logits(top_logits(LOGITS, 9), 9).equal(LOGITS)


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 0.99, 1.0])
def test_k_is_the_smallest_that_holds_the_mass(mass: float) -> None:
    k, ordered = top_count(LOGITS, mass), -np.sort(-probabilities(LOGITS), axis=1)
    held = ordered.cumsum(1).mean(0)
    assert held[k - 1] >= mass - 1e-9
    assert k == 1 or held[k - 2] < mass
    assert mass_of(LOGITS, top_logits(LOGITS, k)["top_classes"]) / 40 == pytest.approx(held[k - 1])


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("k", [1, 3, 8, 9])
def test_top_answers_tell_nothing_but_the_top_probabilities(k: int, dtype: str) -> None:
    """Neither the scale of the logits nor how the rest is divided; and what is left is the rest of what is told."""
    whole = -np.sort(-probabilities(LOGITS), axis=1)
    top = top_answers(LOGITS, k, dtype)
    step = {"fp32": 1e-6, "fp16": 2**-10, "bf16": 2**-7}[dtype]
    assert np.allclose(top["top_values"].double().numpy(), np.log(whole[:, :k]), rtol=step, atol=1e-6)
    back = probabilities(read_logits(top, 9))
    assert np.allclose(back.sum(1), 1) and np.allclose(-np.sort(-back, axis=1)[:, :k], whole[:, :k], atol=8 * step)
    answers, places = LOGITS.softmax(1), LOGITS.topk(k, dim=1).indices
    rest = (1 - answers.gather(1, places).sum(1, keepdim=True)).clamp_min(0) / max(9 - k, 1)
    other = rest.expand_as(answers).scatter(1, places, answers.gather(1, places)).log() + 7
    again = top_answers(other.nan_to_num(neginf=-99.0), k, dtype)
    assert again["top_classes"].equal(top["top_classes"])
    assert torch.allclose(again["top_values"], top["top_values"], rtol=2 * step, atol=2e-6)


def test_a_certain_answer_leaves_nothing() -> None:
    top = top_answers(torch.tensor([[500.0, 0.0, -500.0]]), 1)
    assert top["top_values"].tolist() == [[0.0]] and top["top_tail"].tolist() == [-torch.inf]
    assert read_logits(top, 3).softmax(1).tolist() == [[1.0, 0.0, 0.0]]


def test_top_and_mass_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="both say how many"):
        Keeping(top=2, mass=0.9)
    assert Keeping(top=5).count(LOGITS) == 5 and Keeping(top=50).count(LOGITS) == 9 and Keeping().count(LOGITS) is None


@pytest.mark.parametrize(("classes", "dtype"), [(256, torch.uint8), (257, torch.int16), (40000, torch.int32)])
def test_class_numbers_are_small_and_right(classes: int, dtype: torch.dtype) -> None:
    logits = torch.zeros(1, classes)
    logits[0, -1] = 5.0
    top = top_logits(logits, 1)
    assert top["top_classes"].dtype == dtype
    assert read_logits(top, classes).argmax() == classes - 1


def test_numbers_beyond_fp16_are_refused_with_the_mend() -> None:
    large = torch.tensor([7e4])
    with pytest.raises(UsageError, match=r"'logits' .* 7e\+04.*bf16"):
        in_kept_type(large, "fp16", "logits")
    assert in_kept_type(large, "bf16", "logits").isfinite()
    assert in_kept_type(torch.tensor([-torch.inf]), "fp16", "top_tail").isinf()  # no rest: it was infinite before


@pytest.mark.parametrize("settings", [{"mass": 0.0}, {"mass": 1.5}, {"top": 0}, {"pca": 0}, {"pca": 1.5}, {"pca": -2}])
def test_settings_out_of_range_are_named(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"'{next(iter(settings))}' of keeping"):
        Keeping(**settings)
