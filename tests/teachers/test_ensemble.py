"""An ensemble says the mixture of what its members say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_teacher import INPUTS, Told
from small_world import VALUES

from limbeck.core import Domain, Task, UsageError
from limbeck.teachers.ensemble import Ensemble

TASK = Task("classification", tuple("abcdef"))


def joined(weights: str, shares: dict[str, float] | None = None, task: Task = TASK) -> tuple[Ensemble, list[Told]]:
    members = [Told(0), Told(1)]
    ensemble = Ensemble(["first", "second"], weights)
    ensemble.join(dict(zip(("first", "second"), members, strict=True)), shares or {})
    ensemble.build((5,), task, [])
    return ensemble, members


def softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


UNEQUAL = {"first": 0.3, "second": 0.1}
ONE = {"first": 1.0, "second": 0.0}


@pytest.mark.parametrize(
    ("weights", "shares", "own"),
    [("equal", {}, (0.5, 0.5)), ("gap", UNEQUAL, (0.75, 0.25)), ("gap", ONE, (1.0, 0.0))],
)
def test_its_probabilities_are_the_weighted_ones(
    weights: str, shares: dict[str, float], own: tuple[float, ...]
) -> None:
    ensemble, members = joined(weights, shares)
    expected = sum(w * softmax(m.label(INPUTS).scores().double().numpy()) for w, m in zip(own, members, strict=True))
    said = ensemble.label(INPUTS)
    assert np.allclose(softmax(said.scores().double().numpy()), expected, atol=1e-6)
    assert np.allclose(np.exp(said.scores().double().numpy()), expected, atol=1e-6) and not said.features
    assert ensemble.spec().outputs == 6 and ensemble.trainable() is None and ensemble.body() is None


def test_values_are_averaged() -> None:
    ensemble, members = joined("gap", {"first": 3.0, "second": 1.0}, VALUES)
    first, second = (member.label(INPUTS).scores() for member in members)
    assert torch.allclose(ensemble.label(INPUTS).scores(), 0.75 * first + 0.25 * second, atol=1e-6)


def test_impossible_classes_stay_finite() -> None:
    ensemble, _ = joined("equal")
    assert ensemble.label(1e4 * INPUTS).scores().isfinite().all()


def test_its_fingerprint_tells_members_and_weights_apart() -> None:
    prints = {joined("equal")[0].fingerprint(), joined("gap", {"first": 0.3, "second": 0.1})[0].fingerprint()}
    other = Ensemble(["a", "b"])
    other.join({"a": Told(0), "b": Told(2)}, {})
    assert len(prints | {other.fingerprint()}) == 3 and joined("equal")[0].fingerprint() in prints


def test_what_cannot_be_an_ensemble_is_told() -> None:
    with pytest.raises(UsageError, match=r"The 'members' of ensemble must be different teachers. Got \['a', 'a'\]"):
        Ensemble(["a", "a"])
    with pytest.raises(UsageError, match="No member of the ensemble has a source that is like the target"):
        joined("gap", {"first": 0.0, "second": 0.0})


def test_members_see_the_inputs_of_the_run() -> None:
    class Own(Told):
        def inputs(self, domain: Domain) -> torch.Tensor:
            return domain.inputs + 1

    splits = {"train": np.arange(3), "selection": np.arange(0), "test": np.arange(0)}
    domain = Domain("near", "source", INPUTS, np.zeros(len(INPUTS), dtype=np.int64), TASK, splits)
    assert joined("equal")[0].inputs(domain) is domain.inputs
    ensemble = Ensemble(["a"])
    ensemble.join({"a": Own()}, {})
    with pytest.raises(UsageError, match="prepares its inputs in its own way"):
        ensemble.inputs(domain)
