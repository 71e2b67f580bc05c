"""What an evaluation looks at: some samples of a large split, drawn from all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_world import World, settings

from limbeck.core import some_of
from limbeck.methods.source_only import SourceOnly
from limbeck.training import _evaluation as evaluation
from limbeck.training import predict, train

WORLD = World()


def test_of_a_large_split_some_samples_are_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "SELECTION_CAP", 5)
    method, known = SourceOnly(), WORLD.domain("source").view().labels("selection")
    drawn = some_of(len(known), 5)
    assert drawn.tolist() != [0, 1, 2, 3, 4]  # the first ones may all be of one class

    def validate(source, labels, target, features):
        assert len(source) == len(target) == len(features) == 5 and labels.equal(known[drawn])
        expected = predict(method.student, WORLD.domain("target").split_inputs("selection")[drawn])
        return {"fit": float(torch.allclose(target, expected, atol=1e-6))}

    job = WORLD.job(tmp_path, lambda: method, settings(epochs=1))
    assert train(replace(job, validate=validate))["validators"] == {"fit": 1.0}
