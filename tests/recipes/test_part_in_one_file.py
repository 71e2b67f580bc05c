"""A loss and a distance, each one new file in a copy of the package: listed, shown, validated, tested and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import limbeck

Recipe = dict[str, Any]
TESTS = Path(__file__).resolve().parents[1]

LOSS = '''"""Relational distillation: keep the teacher's pairwise distances."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, cdist, nn

from limbeck.core import FEATURES, Batch, Knowledge, Outputs
from limbeck.objectives import Objective

__all__ = ["RkdDistance"]


class RkdDistance(Objective):
    """Match pairwise distances, each divided by its batch mean.

    Paper: Park et al. 2019, eq. 4-6.
    Needs: student and teacher features; widths may differ.
    Range: ≥ 0, and 0 when the two geometries agree up to scale.
    """

    needs: frozenset[str] = frozenset({"features"})

    def __init__(self, layer: str = FEATURES):
        super().__init__()
        self.layer = layer

    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def knowledge_layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def forward(self, outputs: Outputs, knowledge: Knowledge, batch: Batch) -> Float[Tensor, ""]:
        return rkd_distance(outputs.feature(self.layer), knowledge.feature(self.layer))


def rkd_distance(student: Float[Tensor, "batch s"], teacher: Float[Tensor, "batch t"]) -> Float[Tensor, ""]:
    """Huber distance of the two normalised distance matrices (eq. 5)."""
    return nn.functional.smooth_l1_loss(_geometry(student), _geometry(teacher.detach()))


def _geometry(points: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    distances = cdist(points.float(), points.float())
    return distances / distances.mean().clamp_min(1e-6)
'''

DISTANCE = '''"""How far the means of the two samples are apart."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.distances import Distance
from limbeck.distances._points import points

__all__ = ["MeanGap"]


class MeanGap(Distance):
    """`scale · ‖mean x - mean y‖²`: 0 where the means agree; other differences are not seen.

    scale: a factor.
    """

    def __init__(self, scale: Annotated[float, Gt(0)] = 1.0):
        self.scale = scale

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        x, y = points("mean_gap", x, y)
        return self.scale * (x.mean(0) - y.mean(0)).square().sum()
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds a copy of the package with the two files in it."""
    folder = tmp_path_factory.mktemp("package")
    ours = Path(limbeck.__file__).parent
    shutil.copytree(ours, folder / "src" / "limbeck", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "src/limbeck/objectives/rkd_distance.py").write_text(LOSS)
    (folder / "src/limbeck/distances/mean_gap.py").write_text(DISTANCE)
    return folder


def python(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(package / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], env=environment, cwd=package, capture_output=True, text=True)


CHOSEN = "rkd_distance or mean_gap or RkdDistance or MeanGap"

COMMANDS = """
import json, sys
from limbeck.cli import main

def command(*arguments):
    sys.argv = ["limbeck", *arguments]
    try:
        main()
    except SystemExit as end:
        print("exit", end.code or 0, flush=True)

for line in json.loads(sys.argv[1]):
    command(*line)
"""


@pytest.mark.slow
def test_the_two_files_are_parts_without_any_other_edit(package: Path, recipe: Recipe) -> None:
    recipe["rows"] = {
        "alone": "source_only",
        "both": {"distill": {"objectives": ["cross_entropy", "rkd_distance", {"align": {"distance": "mean_gap"}}]}},
    }
    recipe["gap"]["distances"] = ["mean_gap"]
    (package / "good.yaml").write_text(yaml.safe_dump(recipe))
    recipe["rows"]["both"]["distill"]["objectives"][1:] = [
        {"rkd_distance": {"layr": "x"}},
        {"align": {"distance": {"mean_gap": {"scale": 0}}}},
    ]
    (package / "bad.yaml").write_text(yaml.safe_dump(recipe))
    lines = [["list"], ["show", "rkd_distance"], ["check", "bad.yaml"], ["run", "good.yaml", "--quiet"]]
    done = python(package, "-c", COMMANDS, json.dumps(lines))
    assert [line for line in done.stdout.splitlines() if line.startswith("exit")] == [
        "exit 0",
        "exit 0",
        "exit 2",
        "exit 0",
    ]
    assert "  rkd_distance          Match pairwise distances, each divided by its batch mean." in done.stdout
    assert "  mean_gap              `scale · ‖mean x - mean y‖²`" in done.stdout
    assert "layer  a text ('features' by default)" in done.stdout
    assert "rkd_distance has no setting 'layr'. Did you mean 'layer'?" in done.stderr
    assert "The 'scale' of mean_gap must be > 0. Got 0." in done.stderr
    run = package / "runs" / "small"
    gap = json.loads((run / "gap.json").read_text())
    assert {measure["name"] for measure in gap["distances"]} == {"mean_gap"}
    log = [json.loads(line) for line in (run / "students/both/0/log.jsonl").read_text().splitlines()]
    assert {"loss/cross_entropy", "loss/rkd_distance", "loss/align"} <= log[-1].keys()


@pytest.mark.slow
def test_the_two_files_are_held_to_the_contract(package: Path) -> None:
    """The house's tests find them by discovery, and hold them to what they ask of every part."""
    root = TESTS.parent
    shutil.copytree(TESTS, package / "tests", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    shutil.copy(root / "pyproject.toml", package)
    files = ("house/test_parts.py", "objectives/test_conformance.py", "distances/test_conformance.py")
    tests = [package / "tests" / file for file in files]
    done = python(package, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-k", CHOSEN, *map(str, tests))
    assert done.returncode == 0, done.stdout[-3000:]
    for room, part in (("objectives", "rkd_distance"), ("distances", "mean_gap")):
        assert f"test_a_part_keeps_the_contract[{room}.{part}] PASSED" in done.stdout
        assert f"{room}/test_conformance.py::" in done.stdout
