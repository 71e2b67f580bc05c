"""Knowledge in a run: the views that the teacher saw are those that train; store and live agree; misuse is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.core.weights import read_weights
from limbeck.knowledge import Store, find_stores
from limbeck.recipes import _knowledge_stage, load_plans, run_recipe
from limbeck.recipes._yaml import read_yaml

DRAW = np.random.default_rng(0)
IMAGES = DRAW.random((2, 60, 8, 8)).astype(np.float32)
CROPPED = [{"crop": {"shift": 0.25}}, {"noise": {"deviation": 0.2}}]
PLAIN = {"precision": "fp32", "layout": "contiguous", "compile": False, "optimiser": "sgd", "learning_rate": 0.05}
"""With SGD: Adam makes whole steps of the rounding in gradients that are 0, such as a bias before normalisation."""


def recipe(**changes: Any) -> dict[str, Any]:
    labels = ["a", "b"] * 30
    source, target = ({"arrays": {"inputs": images, "labels": labels}} for images in IMAGES)
    return {
        "name": "run",
        "source": source,
        "target": target,
        "teacher": {"network": {"network": {"cnn": {"widths": [4], "hidden": 4}}}},
        "student": {"cnn": {"widths": [2], "hidden": 4}},
        "rows": {"taught": {"distill": {"objectives": ["cross_entropy", "kl"]}}},
        "training": {"epochs": 5, "batch_size": 8, "evaluate_every": 5, **PLAIN},
        "seeds": 1,
        **changes,
    }


def trained(runs: Path, **changes: Any) -> tuple[Path, torch.Tensor]:
    (folder,) = run_recipe(recipe(**changes), runs=runs, stages=["teacher", "knowledge", "student"], quiet=True)
    state, _ = read_weights(folder / "students" / "taught" / "0" / "weights.safetensors")
    return folder, torch.cat([state[name].flatten().double() for name in sorted(state)])


@pytest.mark.parametrize("augmentation", [[], CROPPED], ids=["plain", "augmented"])
@pytest.mark.parametrize("more", [{}, {"workers": 2}, {"accumulate": 2}, {"batch_size": 7}], ids=str)
def test_store_and_live_teacher_teach_the_same(augmentation: list, more: dict[str, int], tmp_path: Path) -> None:
    """Shuffled, over several epochs, with workers, accumulation and batches across the end of a pass."""
    training = {"epochs": 5, "batch_size": 8, "evaluate_every": 5, **PLAIN, **more}
    found = []
    for read in ("store", "live"):
        knowledge = {"read": read, "views": 3}
        folder, weights = trained(tmp_path / read, augmentation=augmentation, knowledge=knowledge, training=training)
        found.append(weights)
        assert bool(find_stores(folder / "knowledge")) == (read == "store")
    assert torch.allclose(*found, atol=1e-4)


def test_augmentation_and_the_number_of_views_matter(tmp_path: Path) -> None:
    """Otherwise the test above would compare nothing."""
    settings = [([], 3), (CROPPED, 3), (CROPPED, 2)]
    found = [
        trained(tmp_path / str(i), augmentation=augmentation, knowledge={"read": "store", "views": views})[1]
        for i, (augmentation, views) in enumerate(settings)
    ]
    assert not any(torch.allclose(found[i], found[j], atol=1e-3) for i, j in ((0, 1), (1, 2), (0, 2)))


def test_only_training_samples_are_stored_in_the_kept_type(tmp_path: Path) -> None:
    knowledge = {"read": "store", "views": 2, "keeping": {"dtype": "fp16"}}
    folder, _ = trained(tmp_path, augmentation=CROPPED, knowledge=knowledge)
    (path,) = find_stores(folder / "knowledge")
    store = Store.open(path)
    train = len(np.load(path / "rows.npy"))
    assert train == 60 * 0.5 and store.arrays["logits"].shape == (2 * train, 2)
    assert store.arrays["logits"].dtype == torch.float16


@pytest.mark.parametrize(("ask", "read", "expected"), [(1.0, 0.001, "store"), (0.001, 1.0, "live")])
def test_auto_takes_the_faster_and_says_so(monkeypatch, tmp_path: Path, ask, read, expected) -> None:
    times = iter([ask, read] * 2)
    monkeypatch.setattr(_knowledge_stage, "_seconds", lambda call: (call(), next(times))[1])
    folder, _ = trained(tmp_path, knowledge={"read": "auto"})
    chosen = read_yaml((folder / "recipe.yaml").read_text(), "recipe")["choices"]["knowledge/teacher/target"]
    assert chosen["read"] == expected
    assert (chosen["ask_ms"], chosen["read_ms"]) == (ask * 1e3, read * 1e3)
    assert (chosen["store_s"] < chosen["live_s"]) == (expected == "store")
    assert bool(find_stores(folder / "knowledge")) == (expected == "store")


def test_a_mixing_augmentation_leaves_labelled_samples_alone(monkeypatch, tmp_path: Path) -> None:
    seen: dict[str, list[str]] = {}
    original = _knowledge_stage.views_of

    def views_of(*arguments):
        found = original(*arguments)
        seen.update({stream: [type(part).__name__ for part in views.parts] for stream, views in found.items()})
        return found

    monkeypatch.setattr(_knowledge_stage, "views_of", views_of)
    trained(tmp_path, augmentation=["mixup", *CROPPED], knowledge={"read": "live"})
    assert seen == {"source": ["Crop", "Noise"], "target": ["Mixup", "Crop", "Noise"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"augmentation": CROPPED}, "the teacher must see the same views: set 'knowledge.views'"),
        ({"augmentation": CROPPED, "knowledge": {"read": "store"}}, "set 'knowledge.views'"),
        ({"augmentation": ["mixup"], "knowledge": {"views": 2}}, "No store can replay mixup"),
        ({"target_augmentation": ["mixup"], "knowledge": {"views": 2}}, "No store can replay mixup"),
        (
            {"knowledge": {"read": "live", "keeping": {"pca": 2}}},
            "says what a store keeps: set 'knowledge.read' to store",
        ),
        ({"knowledge": {"views": 0}}, "The 'views' of knowledge must be"),
        ({"knowledge": {"keeping": {"dtype": "fp8"}}}, "The 'dtype' of keeping must be"),
    ],
)
def test_what_a_store_cannot_replay_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as error:
        load_plans(recipe(**changes))
    assert said in str(error.value)


def test_a_row_may_do_without_augmentation() -> None:
    rows = {"taught": {"distill": {"objectives": ["kl"]}, "augmentation": []}, "alone": {"source_only": {}}}
    (plan,) = load_plans(recipe(rows=rows, augmentation=CROPPED))
    assert plan.augmentation(plan.rows["taught"]) == []
    assert [type(part).__name__ for part in plan.augmentation(plan.rows["alone"])] == ["Crop", "Noise"]


def test_the_target_may_be_augmented_in_another_way() -> None:
    rows = {
        "as_the_recipe": "source_only",
        "own": {"source_only": {}, "augmentation": ["noise"]},
        "own_of_both": {"source_only": {}, "augmentation": ["noise"], "target_augmentation": ["erase"]},
    }
    (plan,) = load_plans(recipe(rows=rows, augmentation=CROPPED, target_augmentation=[]))
    shown = {
        (name, domain): [type(part).__name__ for part in plan.augmentation(node, domain)]
        for name, node in plan.rows.items()
        for domain in ("source", "target")
    }
    assert shown == {
        ("as_the_recipe", "source"): ["Crop", "Noise"],
        ("as_the_recipe", "target"): [],
        ("own", "source"): ["Noise"],
        ("own", "target"): ["Noise"],
        ("own_of_both", "source"): ["Noise"],
        ("own_of_both", "target"): ["Erase"],
    }
    (plan,) = load_plans(recipe(rows=rows, augmentation=CROPPED))
    assert [type(part).__name__ for part in plan.augmentation(plan.rows["as_the_recipe"], "target")] == [
        "Crop",
        "Noise",
    ]


def test_a_target_that_is_not_augmented_is_stored_as_it_is(tmp_path: Path) -> None:
    folder, plain = trained(tmp_path, augmentation=CROPPED, target_augmentation=[])
    (manifest,) = (folder / "knowledge").glob("*/manifest.json")
    assert read_json(manifest)["views"] == 1
    _, augmented = trained(tmp_path / "both", augmentation=CROPPED, knowledge={"views": 2})
    assert not torch.equal(plain, augmented)


def test_an_augmentation_of_the_target_that_does_not_suit_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"rows\.taught: .*colour") as error:
        trained(tmp_path, augmentation=["colour"], target_augmentation=["colour"], knowledge={"read": "live"})
    assert str(error.value).count("rows.taught") == 1
    with pytest.raises(UsageError, match=r"rows\.taught: .*colour"):
        trained(tmp_path, target_augmentation=["colour"], knowledge={"read": "live"})


def test_an_augmentation_that_does_not_suit_the_samples_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"rows\.taught: .*colour"):
        trained(tmp_path, augmentation=["colour"], knowledge={"read": "live"})
