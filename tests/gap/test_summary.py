"""The whole of gap.json and its one sentence."""

import json
from typing import Any

import pandas as pd
import torch

from limbeck.core.files import write_json
from limbeck.distances.mmd import Mmd
from limbeck.gap import GapSettings, feature_shift, gap_summary, label_shift, measure_distances


def entry(name: str, space: str, p_value: float) -> dict[str, Any]:
    return {"name": name, "space": space, "value": 0.1234, "p_value": p_value}


def feature(name: str, psi: float | None, shifted: bool) -> dict[str, Any]:
    return {"name": name, "psi": psi, "shifted": shifted}


def test_the_whole_is_json(tmp_path: Any) -> None:
    x = torch.arange(60.0).view(60, 1)
    table = pd.DataFrame({"age": x[:, 0].numpy(), "sex": ["f", "m"] * 30})
    probabilities = torch.eye(2)[(x[:, 0] > 20).long()]
    whole = gap_summary(
        "scan",
        "photo",
        measure_distances({"inputs": (x, x + 40)}, {"mmd": Mmd()}),
        feature_shift(table, table.assign(age=table.age + 40).drop(columns="sex")),
        label_shift((x[:, 0] > 20).long(), probabilities, probabilities[:30], ["no", "yes"]),
    )
    write_json(tmp_path / "gap.json", whole)
    assert json.loads((tmp_path / "gap.json").read_text()) == whole
    assert list(whole) == ["source", "target", "sentence", "distances", "features", "labels"]
    assert whole["sentence"].startswith("scan and photo differ: in inputs, 1 of 1 distances are beyond chance (mmd ")
    assert "2 of 2 features are shifted, most of all sex (absent), age (PSI " in whole["sentence"]
    assert "The class shares seem to differ, most for" in whole["sentence"]


def test_the_spaces_are_told_apart() -> None:
    found = [entry("mmd", "inputs", 0.002), entry("coral", "inputs", 0.4), entry("mmd", "teacher", 0.3)]
    assert gap_summary("a", "b", found)["sentence"] == (
        "a and b differ: in inputs, 1 of 2 distances are beyond chance (mmd 0.123); "
        "in teacher, 0 of 1 distances are beyond chance."
    )


def test_one_of_many_distances_below_alpha_is_no_difference() -> None:
    by_chance = [entry("mmd", "inputs", 0.04), entry("coral", "inputs", 0.3)]
    assert gap_summary("a", "b", by_chance)["sentence"] == (
        "No difference between a and b can be shown with these samples. "
        "No gap has to be closed: plain distillation is enough."
    )
    bold = gap_summary("a", "b", by_chance, settings=GapSettings(confidence=0.9))
    assert bold["sentence"].startswith("a and b differ")


def test_many_distances_at_the_least_p_value_they_can_have_are_a_difference() -> None:
    agreeing = [entry(name, space, 0.02) for name in ("wasserstein", "a_distance") for space in ("inputs", "teacher")]
    assert gap_summary("a", "b", agreeing)["sentence"].startswith("a and b differ: in inputs, 2 of 2")


def test_features_are_named_by_how_far_they_moved() -> None:
    features = [feature("w", 0.1, True), feature("x", 2.0, True), feature("y", None, True), feature("z", 0.3, True)]
    sentence = gap_summary("a", "b", [], [*features, feature("v", 0.0, False)])["sentence"]
    assert sentence.endswith("4 of 5 features are shifted, most of all y (absent), x (PSI 2), z (PSI 0.3).")
    sentence = gap_summary("a", "b", [], [feature("v", 0.0, False)])["sentence"]
    assert sentence.endswith("None of the 1 features is shifted by itself.")


def test_no_labels_no_features() -> None:
    whole = gap_summary("a", "b", [])
    assert whole["labels"] is None
    assert whole["features"] == []
