"""The card says what was measured and what was not, and never more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from limbeck.core.files import write_json
from limbeck.export._card import card_text, model_card

PARITY = {"samples": 9, "difference": 1e-7, "agreement": 1.0, "interval": [0.7, 1.0]} | {
    side: {size: {"median": 0.5, "p95": 0.75} for size in ("1", "32")} for side in ("file", "pytorch")
}
MANIFEST: dict[str, Any] = {
    "limbeck": "0.1.0",
    "name": "wards",
    "row": "distilled",
    "seed": 1,
    "task": {"kind": "classification", "classes": ["no", "yes"], "offset": 0.0, "scale": 1.0},
    "models": [{"format": "onnx", "file": "model.onnx", "bytes": 1234, "sha256": "", "parity": PARITY}],
}
VECTORS = {"kind": "vectors", "mean": [0.0] * 3, "deviation": [1.0] * 3}


def row(**changes: Any) -> dict[str, Any]:
    share = {"mean": 0.9, "std": 0.02}
    seeds = [{"seed": 0, "target": {"accuracy": 0.88, "ece": 0.1}}, {"seed": 1, "target": {"accuracy": 0.92}}]
    per_class = [
        {"class": name, "recall": {"mean": recall}, "support": 20} for name, recall in (("no", 1), ("yes", 0.8))
    ]
    return {
        "name": "distilled",
        "kind": "student",
        "title": "distilled once",
        "target": {"accuracy": share, "ece": {"mean": 0.07, "std": 0.0}},
        "seeds": seeds,
        "per_class": per_class,
        "reliability": [{"confidence": 0.95, "accuracy": 0.75, "share": 1.0}, {"share": 0.0}],
        "versus_baseline": None,
    } | changes


def run(folder: Path, one: dict[str, Any], selected: str = "distilled") -> Path:
    write_json(folder / "results.json", {"rows": [one], "selected": selected, "verdict": "It helps."})
    domain = {"samples": 60, "splits": {"test": 40}, "notes": ["2 rows dropped."]}
    domains = {"source": domain | {"name": "city"}, "target": domain | {"name": "ours", "labelled_per_class": 5}}
    write_json(folder / "domains.json", domains)
    write_json(folder / "gap.json", {"sentence": "They differ."})
    write_json(folder / "environment.json", {"command": "limbeck run wards", "started": "2026-01-01T12:00:00+00:00"})
    return folder


def test_it_tells_data_gap_metrics_calibration_files_and_limits(tmp_path: Path) -> None:
    card = model_card(MANIFEST, VECTORS, run(tmp_path, row()))
    assert card["metrics"]["accuracy"] == {"mean": 0.9, "std": 0.02, "exported": 0.92}
    assert card["metrics"]["ece"]["exported"] is None
    text = card_text(card)
    for said in (
        "# wards: distilled once",
        "Reads vectors of 3 numbers; predicts one of no, yes.",
        "source: city, 60 samples; 2 rows dropped.",
        "per class: 5",
        "gap: They differ.",
        "| accuracy | 90.0 % ± 2.0 % | 92.0 % |",
        "| ece | 7.0 % ± 0.0 % | not defined |",
        "| 95 % | 75 % | 100 % |",
        "| model.onnx | 1234 | 1e-07 on 9 samples | 100.0 % [70.0, 100.0] | 0.5 (0.75) | 0.5 (0.75) |",
        "Measured on 40 samples of ours.",
        "Weakest class: yes, 80 % of its 20 samples were recognised.",
        "7.0 points away from its accuracy",
        "Made with limbeck 0.1.0, seed 1: `limbeck run wards`.",
    ):
        assert said in text, said
    assert text.count("%  |") == 0 and "None" not in text


def test_a_collapse_of_the_exported_training_is_its_first_limit(tmp_path: Path) -> None:
    seeds = [{"seed": 0, "target": {}, "collapse": "Another's."}, {"seed": 1, "target": {}, "collapse": "It has."}]
    card = model_card(MANIFEST, VECTORS, run(tmp_path, row(seeds=seeds)))
    assert card["limits"][0] == "It has." and "- It has." in card_text(card) and "Another's." not in card_text(card)


def test_what_was_not_measured_is_not_told(tmp_path: Path) -> None:
    for folder in (None, run(tmp_path, row(target=None, per_class=None, reliability=None))):
        card = model_card(MANIFEST, VECTORS, folder)
        assert card["metrics"] is None and card["calibration"] is None
        assert card["limits"][0].startswith("It was not measured how right it is")
        assert card_text(card).count("Not measured.") == 2 and "None" not in card_text(card)


def test_rows_that_are_not_the_chosen_one_say_so(tmp_path: Path) -> None:
    limits = model_card(MANIFEST, VECTORS, run(tmp_path, row(), "other"))["limits"]
    assert "It is not the row that was chosen without target labels (other)." in limits
    limits = model_card(MANIFEST, VECTORS, run(tmp_path, row(kind="upper_bound"), "other"))["limits"]
    assert "It was trained with target labels, and serves as an upper bound." in limits


@pytest.mark.parametrize("kind", ["table", "text", "images", "vectors"])
def test_every_kind_of_input_has_a_limit(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limbeck.export._card.described", lambda state: "something")
    assert len(model_card(MANIFEST, {"kind": kind}, None)["limits"]) == 2


def test_the_card_of_a_compressed_student_tells_of_that_one(tmp_path: Path) -> None:
    versus = {"difference": -0.0125, "low": -0.02, "high": 0.001}
    line = {"title": "as trained", "bytes": 4000, "latency": {"1": {"median": 0.5}}, "agreement": None} | {
        **{key: row()[key] for key in ("target", "per_class", "reliability", "seeds")},
        **{"versus_teacher": None, "versus_student": None},
    }
    small = line | {
        "title": "int8",
        "bytes": 1100,
        "target": {"accuracy": {"mean": 0.8, "std": 0.01}, "auc": None},
        "seeds": [{"seed": 1, "target": {"accuracy": 0.81}}],
        "agreement": {"mean": 0.97, "std": 0.0, "low": 0.9, "high": 0.99},
        **{"versus_teacher": versus, "versus_student": versus},
    }
    chain = {"row": "distilled", "runtime": "onnxruntime", "teacher": line | {"title": "the ward's"}}
    folder = run(tmp_path, row())
    results = {"rows": [row()], "selected": "distilled", "verdict": "It helps.", "metric": "accuracy"}
    write_json(folder / "results.json", results | {"compression": [{**chain, "steps": [line, small]}]})
    card = model_card(MANIFEST | {"step": 1}, VECTORS, folder)
    assert card["metrics"]["accuracy"] == {"mean": 0.8, "std": 0.01, "exported": 0.81}
    text = card_text(card)
    for said in (
        "| the ward's | 90.0 % |  |  |  | 4000 | 0.5 |",
        "| int8 | 80.0 % | -1.25 [-2, +0.1] | -1.25 [-2, +0.1] | 97.0 % [90.0, 99.0] | 1100 | 0.5 |",
        "| auc | not defined ± not defined | not defined |",
    ):
        assert said in text, text
    assert model_card(MANIFEST, VECTORS, folder)["compression"] is None, "that one is the student as it was trained"
