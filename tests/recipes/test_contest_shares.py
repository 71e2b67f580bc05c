"""Where two domains do not differ, or in their classes' shares alone, the contest adapts nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from limbeck.core.files import read_json
from limbeck.recipes import _contest

Recipe = dict[str, Any]
Run = Callable[..., Path]


@pytest.mark.parametrize("moved", [0.0, 4.0])
def test_where_the_shares_alone_differ_nothing_is_adapted(recipe: Recipe, run: Run, tables: Any, moved: float) -> None:
    random = np.random.default_rng(0)
    for path, ill in zip(tables, (0.5, 0.1), strict=True):
        sick = random.random(400) < ill
        frame = pd.DataFrame({"dose": random.normal(3 * sick), "age": random.normal(3 * sick), "price": 0.0})
        frame["dose"] += moved if path == tables[1] else 0
        frame.assign(sick=np.where(sick, "yes", "no")).to_csv(path, index=False)
    del recipe["rows"]
    recipe["split"], recipe["training"]["epochs"], recipe["gap"]["settings"]["permutations"] = {}, 8, 99
    stages = ["teacher", "gap", "contest"]
    folder = run(recipe, stages=stages[:2] if moved else stages)
    gap = read_json(folder / "gap.json")
    assert gap["labels"]["differ"] and gap["labels"]["beyond"]["alone"] == (not moved)
    assert gap["labels"]["beyond"]["sentence"] in gap["sentence"]
    if not moved:
        found = yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["auto"]
        assert {each["name"] for each in found["candidates"]} == {"alone", "distill"}
        assert found["by"] == ["source_validation"]
        assert "near and far differ in their classes' shares, and in nothing else that can be shown" in found["why"]


@pytest.mark.parametrize(("moved", "winner"), [(0, "distill"), (3, "alone")])
def test_the_source_alone_decides_by_a_margin_only_where_the_domains_differ(
    recipe: Recipe, run: Run, tables: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, moved: float, winner: str
) -> None:
    frame = pd.read_csv(tables[0])
    frame.assign(dose=frame["dose"] + moved).to_csv(tables[1], index=False)
    del recipe["rows"]
    recipe["gap"]["distances"], recipe["gap"]["settings"]["permutations"] = ["mmd"], 99
    best = "distill"
    monkeypatch.setattr(_contest._Contest, "_scores", lambda self, name: {"source_validation": float(name == best)})
    monkeypatch.setattr(_contest._Contest, "_better", lambda self, name: False)
    folder = run(recipe, stages=["teacher", "gap", "contest"])
    found = yaml.safe_load((folder / "recipe.yaml").read_text())["choices"]["auto"]
    assert found["by"] == ["source_validation"] and found["candidates"][0]["name"] == best
    assert found["winner"] == winner
