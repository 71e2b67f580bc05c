"""`limbeck export`, `limbeck serve` and `limbeck predict` as a user meets them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

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


@pytest.mark.extra("search")
def test_search_then_run(limb: Limbeck, world: Path) -> None:
    data = {"csv": {"path": f"{world}/near.csv", "label": "sick"}}
    recipe = {"source": data, "target": data, "student": {"mlp": {"hidden": [4]}}, "rows": {"alone": "source_only"}}
    training = {"epochs": 1, "batch_size": 16, "precision": "fp32"}
    path, runs = world / "searched.yaml", str(world / "runs")
    path.write_text(yaml.safe_dump(recipe | {"seeds": 1, "training": training}))
    searched = ("search", str(path), "--runs", runs, "--trials", "4", "--set", "search.choose=best")
    code, out, err = limb(*searched)
    assert code == 0, err
    assert "students for alone, by information and clusters" in out and "the recipe's own" in out
    assert out.splitlines()[-1] == f"report: {world}/runs/searched/report.html"
    said = [line for line in err.splitlines() if line.startswith("trial ")]
    assert len(said) == 4 and all(" bytes; score " in line for line in said)
    assert limb(*searched)[1] == out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "{}/absent"), "is no run folder"),
        (("export", "{}/runs/small", "--format", "onyx"), "There is no export format 'onyx'. Did you mean 'onnx'?"),
        (("export", "{}/runs/small", "--format", "torch_export", "--out", "{}"), "is no export of limbeck's"),
        pytest.param(("serve", "{}"), "has no exported student", marks=pytest.mark.extra("serve")),
        (("search", "{}/absent"), "There is no recipe"),
        (("search", "digits", "--trials", "1"), "Invalid value for '--trials'"),
        (("serve", "{}", "--samples", "0"), "Invalid value for '--samples'"),
    ],
)
def test_mistakes_end_with_a_sentence(limb: Limbeck, world: Path, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = limb(*(argument.format(world) for argument in arguments))
    assert code == 2 and said in " ".join(err.split()) and "Traceback" not in err
