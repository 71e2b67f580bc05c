"""Two small tables, a recipe over them that trains in a moment, and runs of it that several tests look at."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.recipes import run_recipe

Recipe = dict[str, Any]

SETTINGS: Recipe = {
    "split": {"labelled": 2},
    "teacher": {"network": {"network": {"mlp": {"hidden": [8]}}}},
    "student": {"mlp": {"hidden": [4]}},
    "rows": {
        "alone": "source_only",
        "distilled": {"distill": {"objectives": ["cross_entropy", "kl"]}},
        "upper_bound": "target_only",
    },
    "training": {"epochs": 2, "batch_size": 16, "precision": "fp32"},
    "gap": {"distances": ["coral"], "settings": {"permutations": 19, "resamples": 20, "repeats": 20}},
    "seeds": 1,
}


def table(seed: int, rows: int, wards: list[str], extra: str) -> pd.DataFrame:
    """A table with a column that only it has, missing values and two classes that a small network can learn."""
    random = np.random.default_rng(seed)
    sick = np.arange(rows) % 2
    age = random.normal(50, 10, rows) + 12 * sick
    age[::10] = np.nan
    return pd.DataFrame(
        {
            "age": age,
            "dose": random.normal(size=rows) + 2 * sick + seed / 3,
            "ward": random.choice(wards, rows),
            extra: random.normal(size=rows),
            "price": random.normal(size=rows) + 3 * sick,
            "sick": np.where(sick == 1, "yes", "no"),
        }
    )


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """near.csv and far.csv: other columns, and a ward that only the target has."""
    paths = tmp_path / "near.csv", tmp_path / "far.csv"
    table(0, 80, ["x", "y"], "only_near").to_csv(paths[0], index=False)
    table(1, 70, ["x", "y", "z"], "only_far").to_csv(paths[1], index=False)
    return paths


@pytest.fixture
def recipe(tables: tuple[Path, Path]) -> Recipe:
    """A whole recipe over the two tables, for a test to change."""
    near, far = ({"csv": {"path": str(path), "label": "sick", "drop": ["price"]}} for path in tables)
    return {"name": "small", "source": near, "target": far, **copy.deepcopy(SETTINGS)}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Carry out a recipe quietly in `tmp_path/runs`; its folder."""

    def carry_out(content: Any, **more: Any) -> Path:
        return run_recipe(content, runs=tmp_path / "runs", quiet=True, **more)[0]

    return carry_out
