"""The command line as a user meets it: what it prints, its exit codes, and never a traceback for a mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

import limbeck
from limbeck import cli
from limbeck.core.files import read_json

RECIPE: dict[str, Any] = {
    "source": {"csv": {"path": "near.csv", "label": "sick"}},
    "target": {"csv": {"path": "far.csv", "label": "sick"}},
    "teacher": {"network": {"network": {"mlp": {"hidden": [4]}}}},
    "student": {"mlp": {"hidden": [4]}},
    "rows": {"alone": "source_only", "distilled": {"distill": {"objectives": ["cross_entropy", "kl"]}}},
    "training": {"epochs": 1, "batch_size": 16, "precision": "fp32"},
    "gap": {"distances": ["coral"], "settings": {"permutations": 19, "resamples": 20, "repeats": 20}},
    "seeds": 1,
}


class Said(NamedTuple):
    code: int
    out: str
    err: str


Limbeck = Callable[..., Said]


@pytest.fixture
def limb(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Limbeck:
    """Run the command in this process; its exit code and what it printed."""

    def run(*arguments: str) -> Said:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["limbeck", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capfd.readouterr()
        code = end.value.code
        return Said(int(code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tables and recipes over them."""
    folder = tmp_path_factory.mktemp("world")
    for seed, name in enumerate(("near", "far")):
        random, sick = np.random.default_rng(seed), np.arange(60) % 2
        frame = pd.DataFrame({"age": random.normal(size=60) + 2 * sick, "dose": random.normal(size=60) + seed})
        frame.assign(sick=np.where(sick, "yes", "no")).to_csv(folder / f"{name}.csv", index=False)
    files = {"small": RECIPE, "wrong": RECIPE | {"seeds": 0, "studnt": 1}, "none": {}}
    files["cells"] = RECIPE | {"matrix": {"there": {}, "gone": {"target.csv.path": "gone.csv"}}}
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


@pytest.fixture(autouse=True)
def at_home(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)


@pytest.fixture(scope="module")
def ran(world: Path) -> Path:
    """A finished run, made by the real command."""
    done = command(world, "run", "small.yaml", "--quiet")
    assert done.code == 0 and done.err == "", done.err
    assert "distilled" in done.out and "report: runs/small/report.html" in done.out
    return world / "runs" / "small"


def command(folder: Path, *arguments: str) -> Said:
    """The real entry point in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(limbeck.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "limbeck", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    return Said(done.returncode, done.stdout, done.stderr)


def test_help_comes_at_once_without_torch(tmp_path: Path) -> None:
    done = command(tmp_path, "--help")
    assert done.code == 0 and "Usage: limbeck" in done.out and "Exit codes: 0 done, 1 failed, 2 wrong use." in done.out
    text = "import sys, limbeck.cli; print(*{'torch', 'numpy', 'pandas'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(Path(limbeck.__file__).parents[1])}
    loaded = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert (loaded.stdout, loaded.stderr) == ("\n", "")


def test_a_second_run_does_nothing(ran: Path, limb: Limbeck) -> None:
    before = {path: path.stat().st_mtime_ns for path in ran.rglob("*.*")}
    said = limb("run", "small.yaml")
    assert said.code == 0 and "report: runs/small/report.html" in said.out and "steps in" not in said.err
    assert {
        path: path.stat().st_mtime_ns for path in ran.rglob("*.*") if path.name != ".lock"
    }.items() <= before.items()
    assert read_json(ran / "results.json")["command"] == "limbeck run small.yaml --quiet"


WRONG: list[tuple[list[str], str]] = [
    ([], "Usage: limbeck"),
    (["--nope"], "No such option"),
    (["rnu"], "No such command 'rnu'"),
    (["run"], "Missing argument"),
    (["run", "small.yaml", "--sett", "a=b"], "No such option"),
    (["run", "small"], "There is no recipe 'small', neither a file nor shipped."),
    (["run", "digts"], "Did you mean 'digits'?"),
    (["run", "near.csv"], "near.csv"),
    (["run", "none.yaml"], "3 errors in recipe none"),
    (
        ["run", "wrong.yaml"],
        "2 errors in recipe wrong:\n  - the recipe has no setting 'studnt'. Did you mean 'student'?",
    ),
    (["check", "wrong.yaml"], "2 errors in recipe wrong"),
    (["run", "small.yaml", "--set", "seeds"], "--set needs a.b=c"),
    (["run", "small.yaml", "--set", "training.epochs=0"], "The 'epochs' of training must be > 0. Got 0."),
    (["run", "small.yaml", "--set", "seeds=[1"], "is not YAML"),
    (["run", "small.yaml", "--stages", "techer"], "There is no stage 'techer'. Did you mean 'teacher'?"),
    (["run", "small.yaml", "--name", "../x"], "The name of the run becomes a folder"),
    (["run", "small.yaml", "--name", "x", "--set", "source.csv.path=gone.csv"], "There is no file gone.csv"),
    (["run", "small.yaml", "--name", "x", "--set", "source.csv.label=sik"], "Did you mean 'sick'?"),
    (["run", "small.yaml", "--name", "x", "--set", "training.batch_size=500"], "must be at most 30"),
    (["gap", "digts"], "Did you mean 'digits'?"),
    (["label", "digts"], "Did you mean 'digits'?"),
    (["list", "objectivs"], "There is no room 'objectivs'. Did you mean 'objectives'?"),
    (["show", "mdm"], "There is no part, recipe or run folder 'mdm'. Did you mean 'mmd'?"),
    (["report", "nowhere"], "nowhere"),
    (["predict", "nowhere", "far.csv"], "nowhere is no run folder."),
    (["predict", "runs/small", "gone.csv"], "There is no file gone.csv"),
    (["predict", "runs/small", "far.csv", "--row", "distiled"], "Did you mean 'distilled'?"),
    (["predict", "runs/small", "far.csv", "--seed", "9"], "has no seed 9. It has: 0."),
    (["predict", "runs/small", "far.csv", "--seed", "x"], "Invalid value"),
    (["predict", "runs/small", "far.csv", "--out", "runs"], "is a directory"),
    (["new", "near.csv"], "Name a second file, or --domain"),
    (["new", "near.csv", "far.csv"], "Which column is the label?"),
    (["new", "near.csv", "far.csv", "--label", "sick", "--out", "small.yaml"], "small.yaml exists."),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG, ids=[" ".join(arguments) or "nothing" for arguments, _ in WRONG])
def test_wrong_use_ends_with_2_and_a_sentence(ran: Path, limb: Limbeck, arguments: list[str], said: str) -> None:
    done = limb(*arguments)
    text = " ".join((done.out + done.err).replace("│", "").split())
    assert (done.code, "Traceback" in done.err) == (2, False), done
    assert " ".join(said.split()) in text, text


def test_debug_shows_the_traceback_and_keeps_the_code(limb: Limbeck) -> None:
    for arguments in (("run", "digts", "--debug"), ("--debug", "run", "digts")):
        done = limb(*arguments)
        assert done.code == 2 and "Traceback" in done.err and done.err.rstrip().endswith("Did you mean 'digits'?")


def test_what_nobody_foresaw_ends_with_1_and_points_to_debug(limb: Limbeck, monkeypatch: pytest.MonkeyPatch) -> None:
    from limbeck import recipes

    def breaks(*arguments: Any) -> None:
        raise KeyError("deep inside")

    monkeypatch.setattr(recipes, "load_plans", breaks)
    done = limb("check", "small.yaml")
    assert done.code == 1 and "Traceback" not in done.err
    assert done.err == "limbeck: KeyError: 'deep inside'\nThis is unexpected: --debug shows where it happened.\n"
    assert "in breaks" in limb("check", "small.yaml", "--debug").err


@pytest.mark.parametrize(("line", "goes_on"), [("run", True), ("gap", True), ("label", True), ("check", False)])
def test_ctrl_c_ends_with_a_sentence(limb: Limbeck, monkeypatch: pytest.MonkeyPatch, line: str, goes_on: bool) -> None:
    from limbeck import recipes

    def stops(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    for name in ("run_recipe", "load_plans"):
        monkeypatch.setattr(recipes, name, stops)
    done = limb(line, "small.yaml")
    wanted = "limbeck: Stopped. The same command goes on from here.\n" if goes_on else "limbeck: Stopped.\n"
    assert (done.code, done.err) == (1, wanted)


def test_a_failure_ends_with_1(limb: Limbeck) -> None:
    Path("a_file").touch()
    done = limb("run", "small.yaml", "--runs", "a_file")
    assert done.code == 1 and "--runs" in done.err and "Traceback" not in done.err


def test_a_cell_that_fails_does_not_stop_the_others(limb: Limbeck) -> None:
    done = limb("run", "cells.yaml", "--stages", "gap")
    assert done.code == 1
    assert "1 of 2 cells of cells failed" in done.err and "- gone: There is no file gone.csv" in done.err
    assert Path("runs/cells/there/gap.json").exists()
    assert "runs/cells/there: not evaluated yet" in limb("show", "runs/cells").out


def test_check_names_foreign_code(limb: Limbeck) -> None:
    Path("nets_of_mine.py").write_text(
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self): super().__init__(2, 2)\n"
    )
    done = limb("check", "small.yaml", "--set", "student=nets_of_mine:Net")
    assert done.code == 0
    assert done.out == "small: 2 rows × 1 seeds, no errors\n  runs code of yours: nets_of_mine:Net\n"


def test_check_counts_the_cells(limb: Limbeck) -> None:
    assert (
        limb("check", "cells.yaml").out
        == "cells, there: 2 rows × 1 seeds, no errors\ncells, gone: 2 rows × 1 seeds, no errors\n"
    )


def test_stages_are_commands_too(limb: Limbeck) -> None:
    done = limb("gap", "small.yaml", "--name", "parts")
    assert done.code == 0 and "coral" in done.out and (Path("runs/parts/gap.json")).exists()
    assert "not evaluated yet" in limb("show", "runs/parts").out
    done = limb("label", "small.yaml", "--name", "parts")
    assert done.code == 0
    assert [Path(line, "manifest.json").exists() for line in done.out.splitlines()] == [True]
    store = done.out.strip()
    assert "complete: true" in limb("show", store).out
    assert limb("run", "small.yaml", "--name", "parts", "--stages", "teacher, knowledge").code == 0
    assert limb("store", "prune", "small.yaml").code == 2
    done = limb("store", "prune", "runs/parts")
    assert done.code == 0 and done.out.startswith(f"{store}: ") and not Path(store, "manifest.json").exists()
    assert "There is no stored knowledge" in limb("store", "prune", "runs/parts").err
    assert "belongs to another recipe" in limb("run", "small.yaml", "--name", "parts", "--set", "seeds=2").err
    assert limb("gap", "small.yaml", "--name", "parts").code == 0


def test_predictions_are_a_table(ran: Path, limb: Limbeck, tmp_path: Path) -> None:
    done = limb("predict", "runs/small", "far.csv")
    assert done.code == 0 and done.err == "predicted by distilled\n"
    lines = done.out.splitlines()
    assert lines[0] == "prediction,p(no),p(yes)" and len(lines) == 61
    assert limb("predict", "runs/small", "far.csv", "--out", str(tmp_path / "new" / "p.csv")).out.endswith(
        "60 predictions\n"
    )
    assert (tmp_path / "new" / "p.csv").read_text() == done.out
    assert limb("predict", "runs/small", "far.csv", "--row", "alone", "--seed", "0").out != done.out


def test_predict_works_elsewhere_and_without_the_data(ran: Path, world: Path, tmp_path: Path) -> None:
    (world / "far.csv").rename(tmp_path / "moved.csv")
    (world / "near.csv").rename(tmp_path / "near.csv")
    try:
        done = command(tmp_path, "predict", str(ran), "moved.csv")
    finally:
        (tmp_path / "moved.csv").rename(world / "far.csv")
        (tmp_path / "near.csv").rename(world / "near.csv")
    assert done.code == 0 and done.out.startswith("prediction,p(no),p(yes)\n"), done.err


def test_list_shows_rooms_and_recipes(limb: Limbeck) -> None:
    everything = limb("list").out
    for word in ("recipes", "digits", "objectives", "mmd", "source_only"):
        assert word in everything
    assert limb("list", "objectives").out.splitlines()[0] == "objectives"
    assert "  kl " in limb("list", "objectives").out and "  mmd " not in limb("list", "objectives").out
    assert limb("list", "recipes").out.startswith("recipes\n")


def test_show_shows_parts_recipes_and_runs(ran: Path, limb: Limbeck) -> None:
    assert "Hinton" in limb("show", "kl").out
    Path("digits").mkdir(exist_ok=True)  # a folder of that name is no run
    assert limb("show", "digits").out.startswith("# UCI digits")
    shown = limb("show", "runs/small").out
    assert "distilled" in shown and read_json(ran / "results.json")["verdict"][:40] in shown


def test_report_writes_it_anew(ran: Path, limb: Limbeck) -> None:
    (ran / "report.html").unlink()
    assert limb("report", "runs/small").out == f"{Path('runs/small/report.html')}\n"
    assert (ran / "report.html").exists()


def test_new_writes_what_runs(limb: Limbeck, tmp_path: Path) -> None:
    out = tmp_path / "my own.yaml"
    done = limb("new", "near.csv", "far.csv", "--label", "sick", "--out", str(out))
    assert done.code == 0 and f"next: limbeck check '{out}', then limbeck run '{out}'" in done.out
    assert limb("check", str(out)).code == 0
    assert limb("run", str(out), "--stages", "gap", "--runs", str(tmp_path)).code == 0


def test_version(limb: Limbeck) -> None:
    assert limb("--version").out == f"limbeck {limbeck.__version__}\n"
