"""`limbeck export`, `limbeck serve` and `limbeck predict` as a user meets them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from limbeck import cli
from limbeck.recipes import run_recipe

Limbeck = Callable[..., tuple[int, str, str]]


@pytest.fixture
def limb(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Limbeck:
    """Run the command in this process: its exit code and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["limbeck", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a run."""
    folder = tmp_path_factory.mktemp("world")
    random, sick = np.random.default_rng(0), np.arange(80) % 2
    frame = pd.DataFrame({"dose": random.normal(size=80) + 2 * sick, "sick": np.where(sick == 1, "yes", "no")})
    frame.to_csv(folder / "near.csv", index=False)
    data = {"csv": {"path": str(folder / "near.csv"), "label": "sick"}}
    recipe = {"name": "small", "source": data, "target": data, "student": {"mlp": {"hidden": [4]}}, "seeds": 1}
    run_recipe(
        recipe | {"rows": {"alone": "source_only"}, "training": {"epochs": 1, "batch_size": 16, "precision": "fp32"}},
        runs=folder / "runs",
        stages=["student"],
        quiet=True,
    )
    return folder


def test_export_then_predict(limb: Limbeck, world: Path) -> None:
    code, out, err = limb("export", f"{world}/runs/small", "--format", "torch_export")
    assert code == 0, err
    assert out.startswith("exported: alone, seed 0\nmodel.pt2: ") and "differs from the student by" in out
    assert "the same answer for 100.0 % [" in out and "batch 32: " in out
    assert out.splitlines()[-1] == f"limbeck predict {world}/runs/small/export DATA"
    code, out, err = limb("predict", f"{world}/runs/small/export", f"{world}/near.csv")
    assert code == 0, err
    assert out.splitlines()[0] == "prediction,p(no),p(yes)" and len(out.splitlines()) == 81


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "{}/absent"), "is no run folder"),
        (("export", "{}/runs/small", "--format", "onyx"), "There is no export format 'onyx'. Did you mean 'onnx'?"),
        (("export", "{}/runs/small", "--format", "torch_export", "--out", "{}"), "is no export of limbeck's"),
        pytest.param(("serve", "{}"), "has no exported student", marks=pytest.mark.extra("serve")),
        (("serve", "{}", "--samples", "0"), "Invalid value for '--samples'"),
    ],
)
def test_mistakes_end_with_a_sentence(limb: Limbeck, world: Path, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = limb(*(argument.format(world) for argument in arguments))
    assert code == 2 and said in " ".join(err.split()) and "Traceback" not in err
