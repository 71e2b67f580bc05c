"""A row's steps: each is carried out once, told in the results, and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from limbeck.core import RunError, UsageError
from limbeck.core.files import read_json
from limbeck.evaluation import check_results
from limbeck.recipes import _compression_stage, load_student
from limbeck.recipes._compressed import load_compressed
from limbeck.training import predict

Recipe = dict[str, Any]
Run = Callable[..., Path]

STEPS: list[Any] = [
    {"prune": {"amount": 0.5, "rounds": 2}, "title": "half the channels"},
    {"prune": {"amount": 0.25, "structure": "weights"}, "teacher": "student", "training": {"epochs": 1}},
]


@pytest.fixture
def compressed(recipe: Recipe) -> Recipe:
    recipe["student"] = {"mlp": {"hidden": [8, 6]}}
    recipe["rows"] = {"alone": "source_only", "distilled": {**recipe["rows"]["distilled"], "compress": STEPS}}
    return recipe


def test_every_step_is_told_in_the_results(compressed: Recipe, run: Run) -> None:
    folder = run(compressed)
    results = read_json(folder / "results.json")
    check_results(results)
    (chain,) = results["compression"]
    assert (chain["row"], chain["runtime"]) == ("distilled", "torch")
    before, half, zeros = chain["steps"]
    row = next(row for row in results["rows"] if row["name"] == "distilled")
    assert before["target"] == row["target"] and before["versus_student"] is None
    assert [seed["target"] for seed in before["seeds"]] == [seed["target"] for seed in row["seeds"]]
    teacher = next(row for row in results["rows"] if row["name"] == "teacher")
    assert chain["teacher"]["target"] == teacher["target"] and chain["teacher"]["parameters"] == teacher["parameters"]
    for step in chain["steps"]:
        lost = step["target"]["accuracy"]["mean"] - teacher["target"]["accuracy"]["mean"]
        if results["metric"] == "accuracy":
            assert step["versus_teacher"]["difference"] == pytest.approx(lost)
        assert step["versus_teacher"]["low"] <= step["versus_teacher"]["difference"] <= step["versus_teacher"]["high"]
    assert [step["title"] for step in chain["steps"]] == ["as trained", "half the channels", "2-prune"]
    assert [step["teacher"] for step in chain["steps"]] == [None, "teacher", "student"]
    inputs = before["multiply_adds"] // 8 - 6 - 12 // 8
    assert before["multiply_adds"] == 8 * inputs + 8 * 6 + 6 * 2
    assert half["multiply_adds"] == 4 * inputs + 4 * 3 + 3 * 2
    assert zeros["multiply_adds"] == half["multiply_adds"]
    pruned = sum(round(0.25 * size) for size in (4 * inputs, 4 * 3, 3 * 2))
    assert zeros["nonzero"] <= zeros["parameters"] - pruned
    assert "Compression" in (folder / "report.html").read_text()
    tests = [opening for opening in results["openings"] if opening["split"] == "test"]
    assert len(tests) == 1


def test_what_was_saved_is_the_student_that_was_scored(compressed: Recipe, run: Run) -> None:
    folder = run(compressed)
    own = folder / "students" / "distilled" / "0"
    student = load_student(folder, "distilled")
    kept = np.load(own / "compressed" / "2-prune" / "predictions.npz")["target_logits"]
    network = load_compressed(student.network.network, own / "compressed" / "2-prune" / "weights.safetensors")
    assert network.body[1].out_features == 4
    assert len(kept) == len(np.load(own / "predictions.npz")["target_logits"])
    from limbeck.networks import Observed

    inputs = torch.randn(5, network.body[1].in_features)
    assert predict(Observed(network), inputs).shape == (5, 2)


class StoppedError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("last", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stopped_chain_ends_as_one_that_never_was(
    last: int, compressed: Recipe, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, count = _compression_stage.train, 0

    def stopping(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > last:
            raise StoppedError
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_compression_stage, "train", stopping)
        with pytest.raises(StoppedError):
            run(compressed, name="stopped")
    folders = [run(compressed, name=name) for name in ("stopped", "whole")]
    for step in ("1-prune", "2-prune"):
        kept = [np.load(f / f"students/distilled/0/compressed/{step}/predictions.npz") for f in folders]
        for name in kept[0]:
            np.testing.assert_array_equal(kept[0][name], kept[1][name])


def test_the_evaluation_waits_for_the_steps(compressed: Recipe, run: Run) -> None:
    run(compressed, stages=["teacher", "knowledge", "student"])
    with pytest.raises(UsageError, match="run the stage compression first"):
        run(compressed, stages=["evaluation"])


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (["quantise", "prune"], r"compress\[0\]: After it the student is the file model.onnx: make it the last step"),
        ([{"prune": {}, "teacher": "techer"}], "There is no teacher 'techer'. Did you mean 'teacher'"),
        ([{"quantise": {}, "training": {"epochs": 1}}], "It is not fine-tuned: leave out 'training'"),
        ([{"prune": {"amount": 1.5}}], "The 'amount' of prune must be"),
        ([{"prune": {}, "training": {"epoch": 1}}], "has no setting 'epoch'"),
        ([{"prune": {}, "method": "target_only"}], "may need a teacher and no more"),
        (["prume"], "There is no compression step 'prume'"),
    ],
)
def test_faults_are_told_before_anything_runs(steps: list[Any], told: str, compressed: Recipe, run: Run) -> None:
    compressed["rows"]["distilled"]["compress"] = steps
    with pytest.raises(UsageError, match=told):
        run(compressed)


def test_a_file_leaves_the_run_in_its_own_format_alone(compressed: Recipe, run: Run) -> None:
    compressed["rows"]["distilled"]["compress"] = ["quantise"]
    compressed["export"] = ["onnx", "torch_export"]
    with pytest.raises(UsageError, match=r"the student is the file model\.onnx: let 'export' name its format alone"):
        run(compressed)


def test_a_network_that_cannot_be_made_smaller_is_told(compressed: Recipe, run: Run) -> None:
    compressed["student"] = {"mlp": {"hidden": []}}
    with pytest.raises(UsageError, match=r"rows.distilled.compress\[0\]: Mlp has no channels"):
        run(compressed)


def test_a_damaged_shape_is_told(compressed: Recipe, run: Run) -> None:
    from limbeck.compression import with_changes

    with pytest.raises(RunError, match="a layer 'nowhere' that its network cannot hold"):
        with_changes(torch.nn.Linear(2, 2), {"nowhere": {"kind": "Linear"}})


@pytest.mark.slow
@pytest.mark.extra("onnx")
def test_int8_at_the_end(compressed: Recipe, run: Run) -> None:
    steps = [{"quantise": {"mode": "aware"}, "training": {"epochs": 1}}]
    compressed["rows"]["distilled"]["compress"] = steps
    folder = run(compressed)
    (chain,) = read_json(folder / "results.json")["compression"]
    assert chain["runtime"] == "onnxruntime" and chain["steps"][1]["teacher"] == "student"
    assert (folder / "students/distilled/0/compressed/1-quantise/model.onnx").is_file()
    assert chain["steps"][1]["agreement"]["mean"] > 0.5
