"""Feature extraction: a new head on a fixed layer of a model that does not move by a bit."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from small_world import VALUES, World
from torch import nn

from limbeck.core import FEATURES
from limbeck.core.weights import read_weights
from limbeck.methods.feature_extract import FeatureExtract
from limbeck.training import predict, train

WORLD = World()


@pytest.mark.parametrize("layer", [FEATURES, "2", "0"])
@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_only_the_new_head_moves(layer: str, head, tmp_path: Path) -> None:
    method = FeatureExtract(layer, head)
    job = WORLD.job(tmp_path, lambda: method)
    before = copy.deepcopy(method.student.state_dict())
    new = copy.deepcopy(method.probe.network.head.state_dict())
    train(job)
    assert all(value.equal(method.student.state_dict()[name]) for name, value in before.items())
    assert not any(value.equal(method.probe.network.head.state_dict()[name]) for name, value in new.items())


@pytest.mark.parametrize(("layer", "width"), [(FEATURES, 6), ("2", 8)])
def test_the_head_reads_the_layer_in_evaluation_mode(layer: str, width: int) -> None:
    method, _ = WORLD.built(FeatureExtract(layer))
    method.train()
    assert not any(module.training for module in method.student.modules())
    assert method.probe.network.head.in_features == width
    inputs = WORLD.domain("target").inputs
    said = method.student(inputs).feature(layer)
    assert torch.allclose(predict(method.evaluated, inputs), method.probe.network.head(said), atol=1e-6)


def test_heads_are_linear_or_have_a_hidden_layer() -> None:
    assert isinstance(WORLD.built(FeatureExtract())[0].probe.network.head, nn.Linear)
    deep = WORLD.built(FeatureExtract(head="mlp", hidden=11))[0].probe.network.head
    assert [layer.out_features for layer in deep if isinstance(layer, nn.Linear)] == [11, 3]
    assert World(VALUES).built(FeatureExtract())[0].probe.network.head.out_features == 1


def test_its_weights_file_serves_a_fresh_one(tmp_path: Path) -> None:
    method = FeatureExtract("2", "mlp")
    done = train(WORLD.job(tmp_path, lambda: method))
    assert done["steps"] == 3
    weights, _ = read_weights(tmp_path / "weights.safetensors")
    fresh = WORLD.built(FeatureExtract("2", "mlp"), seed=5)[0]
    fresh.evaluated.network.load_state_dict(weights)
    method.evaluated.network.load_state_dict(weights)
    inputs = WORLD.domain("target").inputs
    assert predict(fresh.evaluated, inputs).equal(predict(method.evaluated, inputs))
