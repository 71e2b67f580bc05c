"""The whole job in one call, on everything that a notebook holds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import limbeck
from limbeck import Transfer, transfer
from limbeck.core import UsageError
from limbeck.methods.distill import Distill
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl

ROWS = 60
SMALL = {"mlp": {"hidden": [4]}}
Do = Callable[..., Transfer]


class Net(nn.Module):
    """A network of the user's own."""

    def __init__(self, width: int = 3, outputs: int = 2):
        super().__init__()
        self.body = nn.Linear(4, width)
        self.top = nn.Linear(width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.top(self.body(inputs).relu())


LABELS = np.arange(ROWS) % 2
INPUTS = np.random.default_rng(0).normal(size=(ROWS, 4)) + 2 * LABELS[:, None]
TABLE = pd.DataFrame(INPUTS, columns=list("abcd")).assign(ward=np.where(LABELS, "x", "y"))
SOURCE, TARGET = (INPUTS, LABELS), (INPUTS + 0.5, LABELS)


@pytest.fixture
def do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Do:
    """`transfer` with next to no training, and with a page where the test looks at it."""
    if "page" not in request.fixturenames:
        monkeypatch.setattr("limbeck.reports.write_report", lambda folder: (folder / "report.html").touch())

    def call(
        source: Any = SOURCE, target: Any = TARGET, teacher: Any = SMALL, student: Any = SMALL, **more: Any
    ) -> Transfer:
        gap = {"distances": ["coral"], "settings": {"permutations": 19, "resamples": 20, "repeats": 20}}
        quick: dict[str, Any] = {
            "seeds": 1,
            "quiet": True,
            "runs": tmp_path,
            "gap": gap,
            "training": {"epochs": 1, "batch_size": 16, "precision": "fp32"},
            "rows": {"alone": "source_only"},
        }
        return transfer(source, target, teacher, student, **{**quick, **more})

    return call


@pytest.fixture
def page() -> None:
    """Asks for a real report."""


def rows(done: Transfer) -> dict[str, str]:
    return {row["name"]: row["kind"] for row in done.results["rows"]}


def test_arrays_and_a_second_call(do: Do, page: None) -> None:
    done = do(rows=None, labelled=2)
    assert rows(done) == {
        "teacher": "teacher",
        "alone": "student",
        "distilled": "student",
        "distilled_and_aligned": "student",
        "fine_tuned": "student",
        "upper_bound": "upper_bound",
    }
    assert done.report.read_text().startswith("<!DOCTYPE html>") and done.verdict == done.results["verdict"]
    assert done.student.predict(INPUTS).shape == (ROWS, 3)
    before = {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.*") if path.name != ".lock"}
    again = do(rows=None, labelled=2)
    assert {path: path.stat().st_mtime_ns for path in done.folder.rglob("*.*") if path.name != ".lock"} == before
    assert again.results == done.results
    assert again.student.predict(INPUTS).equals(done.student.predict(INPUTS))


def test_a_seed_more_is_another_run_until_it_is_fresh(do: Do) -> None:
    do()
    with pytest.raises(UsageError, match=r"seeds: 1 there, \[0, 3\] here(.|\n)*fresh=True"):
        do(seeds=[0, 3])
    assert do(seeds=[0, 3], fresh=True).results["seeds"] == [0, 3]


def test_tensors_and_a_target_without_labels(do: Do) -> None:
    inputs = torch.from_numpy(INPUTS).requires_grad_()
    done = do((inputs, torch.from_numpy(LABELS)), (inputs, None), rows=None)
    assert "upper_bound" not in rows(done) and not done.results["target_labels_known"]
    assert "cannot be proven" in done.verdict


def test_a_memory_map_is_linked_and_a_part_of_one_is_written(do: Do, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", INPUTS)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    done = do((mapped, LABELS), (mapped[10:], LABELS[10:]))
    source, target = (next((done.folder / "data").glob(f"{role}-*")) for role in ("source", "target"))
    assert (source / "inputs.npy").readlink() == (tmp_path / "rows.npy").resolve()
    assert np.load(source / "labels.npy").tolist() == LABELS.tolist()
    assert not (target / "inputs.npy").is_symlink() and (np.load(target / "inputs.npy") == INPUTS[10:]).all()
    copied = do((INPUTS, LABELS), (INPUTS[10:], LABELS[10:]), name="arrays")
    assert copied.results["rows"][1]["target"] == done.results["rows"][1]["target"]
    assert do((mapped, LABELS), (mapped[10:], LABELS[10:])).folder == done.folder  # a second call reads what is there


def test_a_map_that_is_not_what_lies_in_the_file_is_written(do: Do, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", INPUTS)
    changed = np.load(tmp_path / "rows.npy", mmap_mode="c")
    changed[:] = INPUTS + 1
    turned = np.load(tmp_path / "rows.npy", mmap_mode="r")[::-1]
    done = do((changed, LABELS), (turned, None))
    for role, wanted in (("source", INPUTS + 1), ("target", INPUTS[::-1])):
        (path,) = (done.folder / "data").glob(f"{role}-*/inputs.npy")
        assert not path.is_symlink() and (np.load(path) == wanted).all()


def test_a_data_frame(do: Do) -> None:
    done = do((TABLE, pd.Series(LABELS, index=range(9, 9 + ROWS))), (TABLE.drop(columns="b"), None))
    predicted = done.student.predict(TABLE)
    assert (
        len(predicted) == ROWS
        and done.student.predict(TABLE.iloc[::-1])["prediction"].tolist() == predicted["prediction"].tolist()[::-1]
    )
    assert do((TABLE.assign(label=1.5), LABELS), (TABLE, LABELS), name="named").results["task"]["classes"] == ["0", "1"]


def test_paths_and_data_parts(do: Do, tmp_path: Path) -> None:
    TABLE.assign(sick=LABELS).to_csv(tmp_path / "one.csv", index=False)
    np.savez(tmp_path / "one.npz", inputs=INPUTS, labels=LABELS)
    mapping = {"csv": {"path": str(tmp_path / "one.csv"), "label": "sick", "name": "part"}}
    assert do(str(tmp_path / "one.csv"), mapping, label="sick").results["target"] == "part"
    assert do(tmp_path / "one.npz", tmp_path / "one.npz", name="arrays").results["source"] == "one"
    done = do({"arrays": {"inputs": INPUTS, "labels": LABELS}}, TARGET, name="memory")
    assert done.student.predict(INPUTS).shape == (ROWS, 3)


def test_missing_labels(do: Do) -> None:
    names = [None if i % 5 == 0 else "ab"[label] for i, label in enumerate(LABELS)]
    done = do((INPUTS, names), (INPUTS, names), rows={"alone": "source_only", "upper": "target_only"}, baseline="alone")
    assert done.results["task"]["classes"] == ["a", "b"]
    values = [None if i % 5 == 0 else 1.5 * row[0] for i, row in enumerate(INPUTS)]
    assert do((INPUTS, values), (INPUTS, None), name="values").results["task"]["kind"] == "regression"


def test_regression_has_rows_of_its_own(do: Do) -> None:
    done = do((INPUTS, 1000 + 10 * INPUTS[:, 0]), (INPUTS, 1000 + 10 * INPUTS[:, 0]), rows=None, labelled=4)
    assert done.results["metric"] == "rmse" and len(rows(done)) == 6
    assert done.student.predict(INPUTS)["prediction"].between(900, 1100).all()


@pytest.mark.parametrize("network", [Net, Net(5), nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))])
def test_a_network_of_ones_own_serves_as_both(do: Do, network: Any) -> None:
    before = None if isinstance(network, type) else {k: v.clone() for k, v in network.state_dict().items()}
    done = do(
        teacher=network, student=network, rows={"alone": "source_only", "taught": {"distill": {"objectives": ["kl"]}}}
    )
    assert done.student.predict(INPUTS).shape == (ROWS, 3)
    if before is not None:  # it is copied, not trained in place
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_another_network_of_the_same_class_is_another_run(do: Do) -> None:
    do(student=Net(2))
    with pytest.raises(UsageError, match=r"student: .*Net.*there, .*Net.* here"):
        do(student=Net(3))


def test_methods_from_python_do_not_share_their_state_between_seeds(do: Do) -> None:
    given = {"alone": "source_only", "mine": Distill([CrossEntropy(), Kl(2.0)])}
    named = {
        "alone": "source_only",
        "mine": {"distill": {"objectives": ["cross_entropy", {"kl": {"temperature": 2.0}}]}},
    }
    both = [do(rows=kind, seeds=2, name=name).folder for name, kind in (("given", given), ("named", named))]
    for seed in ("0", "1"):
        weights = [folder / "students" / "mine" / seed / "weights.safetensors" for folder in both]
        assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_teacher_from_a_file(do: Do) -> None:
    weights = do(name="first").folder / "teachers" / "teacher" / "0" / "weights.safetensors"
    taught = {"alone": "source_only", "taught": {"distill": {"objectives": ["kl"]}}}
    done = do(teacher=weights, teacher_network=SMALL, rows=taught)
    assert not (done.folder / "teachers").exists() and list((done.folder / "knowledge").iterdir())
    with pytest.raises(UsageError, match=r"needs its architecture: teacher_network="):
        do(teacher=str(weights))
    with pytest.raises(UsageError, match="do not fit Mlp"):
        do(teacher=weights, teacher_network={"mlp": {"hidden": [3]}}, name="other")
    with pytest.raises(UsageError, match=r"knows other classes: 0, 1. The task has: a, b"):
        names = np.array(["a", "b"])[LABELS]
        do((INPUTS, names), (INPUTS, names), teacher=weights, teacher_network=SMALL, name="names")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"target": (INPUTS, LABELS[:5])}, "The 'target' of transfer must be inputs [n, …] with labels [n] or None."),
    ({"source": (np.full((ROWS, 4), "x"), LABELS)}, "must be numbers"),
    (
        {"source": (INPUTS.astype(object), LABELS)},
        "must be arrays of numbers, labels also of texts. Got object and int64.",
    ),
    ({"source": (TABLE.assign(z=[1, "a"] * 30), LABELS)}, "The table of the 'source' of transfer cannot be kept"),
    ({"source": (np.where(INPUTS > 2, np.nan, INPUTS), LABELS)}, "rows hold NaN or infinity"),
    ({"source": (INPUTS[:0], LABELS[:0])}, "is empty"),
    ({"source": "gone.csv", "label": "x"}, "There is no file gone.csv"),
    ({"label": "sick"}, "The 'label' of transfer names a column of a file, and neither domain is a path."),
    ({"student": "mpl"}, "There is no network 'mpl'. Did you mean 'mlp'?"),
    ({"student": Net(3, 5)}, "gives 5 outputs, and the task has 2: 0, 1."),
    ({"teacher": nn.Linear(5, 2)}, "teachers.teacher: Linear cannot read samples of shape [4]"),
    ({"teacher": nn.ReLU()}, "ReLU has no linear layer"),
    ({"epochs": 3}, "the recipe has no setting 'epochs'. Write it under 'training'."),
    ({"seeds": 0}, "The 'seeds' of the recipe must be > 0"),
    ({"labelled": 2, "target": (INPUTS, None)}, "The 'labelled' of split must be 0"),
    ({"name": "a/b"}, "The name of the run becomes a folder"),
    ({"matrix": {"a": {}}}, "transfer is for one pair of domains"),
    ({"target": (np.zeros((ROWS, 6, 6)), LABELS)}, "Vectors are numbers [n, d]"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=[said[:50] for _, said in WRONG])
def test_wrong_arguments_are_told(do: Do, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        do(**changes)
    assert said in str(caught.value)


UNTYPED = """
from limbeck import transfer
for source in ([[1, 2]], ("near.csv", "sick"), ([[1, 2], [3]], [0, 1]), 5):
    try:
        transfer(source, source, "mlp", "mlp")
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_what_is_no_domain_at_all_is_told(tmp_path: Path) -> None:
    """In a process of its own: in this one the annotations would speak first."""
    told = python(tmp_path, UNTYPED).splitlines()
    assert len(told) == 4 and all(line.startswith("UsageError The 'source' of transfer must be ") for line in told)
    assert not list(tmp_path.iterdir())


def python(folder: Path, text: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(limbeck.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_arrays_of_the_same_bytes_are_told_apart(do: Do) -> None:
    do(name="shape")
    flat = INPUTS.reshape(ROWS // 2, 8)
    with pytest.raises(UsageError, match="belongs to another recipe"):
        do(
            (flat, LABELS[: ROWS // 2]),
            (flat, LABELS[: ROWS // 2]),
            name="shape",
            training={"epochs": 1, "batch_size": 8},
        )


def test_the_package_is_imported_at_once_without_torch(tmp_path: Path) -> None:
    assert python(tmp_path, "import sys, limbeck; print(*{'torch', 'numpy'} & set(sys.modules))") == "\n"
    with pytest.raises(AttributeError, match="module 'limbeck' has no attribute 'nothing'"):
        limbeck.nothing  # noqa: B018


def test_a_method_that_is_left_open_is_chosen(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(120, 4)), np.arange(120) % 2
    x[:, 0] += 3 * y
    settings: dict[str, Any] = {"training": {"epochs": 2, "batch_size": 16}, "gap": {"distances": ["coral"]}}
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    done = limbeck.transfer(
        (x, y), (x + 2, y), "mlp", network, rows={"auto": "auto"}, seeds=1, runs=tmp_path, quiet=True, **settings
    )
    assert [row["name"] for row in done.results["rows"]][:2] == ["teacher", "alone"]
    assert done.results["choice"]["why"].startswith("Chosen: ")
    assert done.student.row in ("auto", "alone") and len(done.student.predict(x[:3])) == 3
