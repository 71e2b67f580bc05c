"""What a whole run says of trainings that adapt, or collapse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from limbeck.core import Batch, Knowledge, Outputs, UsageError
from limbeck.core.files import read_json
from limbeck.objectives import Objective
from limbeck.recipes import run_recipe

Recipe = dict[str, Any]
STAGES = ["student", "evaluation", "report"]


class Swallow(Objective):
    """`mean −log p(class 0)` on the target: at its least, one class has swallowed the other."""

    samples = "target"

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Tensor:
        return -outputs.logits.float().log_softmax(1)[:, 0].mean()


def test_an_adaptive_row_tells_and_a_collapse_is_said_everywhere(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del recipe["teacher"]
    swallow = {f"{__name__}:Swallow": {}, "weight": {"start": 0.0, "end": 50.0, "since": 0.5, "until": 0.51}}
    recipe["split"]["selection"] = 0.35
    recipe["rows"] = {
        "alone": "source_only",
        "dann": {"distill": {"objectives": ["cross_entropy", "adversarial"]}},
        "fallen": {"distill": {"objectives": ["cross_entropy", swallow]}, "training": {"epochs": 12}},
    }
    recipe["training"] |= {"optimiser": "sgd", "learning_rate": 0.1, "schedule": "constant", "epochs": 4}
    (folder,) = run_recipe(recipe, runs=tmp_path / "runs", stages=STAGES)
    rows = {row["name"]: row["seeds"][0] for row in read_json(folder / "results.json")["rows"]}
    assert rows["alone"]["diagnostics"] is None and rows["alone"]["collapse"] is None
    told = rows["dann"]["diagnostics"]
    assert set(told) == {"epochs", "gap", "probe", "discriminator", "entropy", "balance", "largest"}
    assert all(len(values) == 4 for values in told.values())
    sentence = rows["fallen"]["collapse"]
    assert "fallen has collapsed" in sentence and f"epoch {rows['fallen']['epoch']} was kept" in sentence
    said = capsys.readouterr().err
    assert " ".join(sentence.split()) in " ".join(said.split())
    assert "alone, seed 0: 8 steps in" in said and "these are few: an epoch is one pass" in said
    assert "How they adapted" in (page := (folder / "report.html").read_text(encoding="utf-8"))
    assert "fallen has collapsed" in page


def test_several_sources_are_needed_where_they_are_told_apart(
    recipe: Recipe, run: Callable[..., Path], tables: tuple[Path, Path]
) -> None:
    del recipe["teacher"]
    recipe["rows"] = {"worst": "group_dro", "apart": {"distill": {"objectives": [
        "cross_entropy", {"align_sources": {"distance": "coral"}}]}}}  # fmt: skip
    recipe["split"] = {}
    with pytest.raises(UsageError) as caught:
        run(recipe)
    assert str(caught.value).count("tells source domains apart, and near is one") == 2
    near = recipe["source"]
    recipe["source"] = {"several": {"parts": [near, {"csv": {**near["csv"], "path": str(tables[1])}}]}}
    rows = read_json(run(recipe, stages=["student", "evaluation"]) / "results.json")["rows"]
    assert [row["name"] for row in rows] == ["worst", "apart"]
    assert rows[0]["reads"]["training"] == ["source"]
    assert torch.tensor([row["seeds"][0]["target"]["accuracy"] for row in rows]).isfinite().all()
