"""The exported folder works by itself, where neither limbeck nor PyTorch is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from limbeck.core import RunError, Task, UsageError
from limbeck.core.files import read_json
from limbeck.data._images import ImagePreprocessing
from limbeck.data._tables import TablePreprocessing
from limbeck.data._vectors import VectorPreprocessing
from limbeck.export import Exported, Product, is_export, read_manifest, write_export
from limbeck.export.onnx import Onnx
from limbeck.export.torch_export import TorchExport

CLASSES = Task("classification", ("no", "yes"))
TABLE = pd.DataFrame({"age": [20.0, None, 60.0, 44.5], "ward": ["a", "b", None, "a"]})


def product(samples: pd.DataFrame | np.ndarray, task: Task = CLASSES) -> Product:
    kind = TablePreprocessing if isinstance(samples, pd.DataFrame) else VectorPreprocessing
    fitted = (ImagePreprocessing if samples.ndim == 3 else kind)().fit(samples)
    shape = fitted.transform(samples).shape[1:]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 4), nn.ReLU(), nn.Linear(4, task.outputs))
    return Product(network, fitted, task, samples, {"name": "small", "row": "distilled", "seed": 0})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime")
    made = tmp_path_factory.mktemp("runs") / "small" / "export"
    write_export(made, product(TABLE), [Onnx(), TorchExport()])
    return made


def expected(made: Product) -> np.ndarray:
    with torch.no_grad():
        return made.network.eval()(made.preprocessing.transform(made.samples)).softmax(1).numpy()


@pytest.mark.extra("onnx")
def test_the_folder_holds_what_a_device_needs(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        *("model.onnx", "model.pt2", "export.json", "preprocessing.json", "labels.json", "card.json", "card.md"),
        *("predict.py", "preprocessing.py", "requirements.txt"),
    }
    manifest = read_manifest(folder)
    assert [manifest[key] for key in ("name", "row", "seed")] == ["small", "distilled", 0]
    for model in manifest["models"]:
        assert model["bytes"] == (folder / model["file"]).stat().st_size
        assert model["parity"]["difference"] < 1e-4 and model["parity"]["samples"] == 4
        for size in ("1", "32"):
            assert 0 < model["parity"]["file"][size]["median"] <= model["parity"]["file"][size]["p95"]
    wanted = (folder / "requirements.txt").read_text("utf-8")
    assert [line for line in wanted.splitlines() if not line.startswith("#")] == ["numpy>=1.26", "onnxruntime>=1.18"]


@pytest.mark.extra("onnx")
def test_the_program_runs_with_numpy_and_onnxruntime_alone(folder: Path, tmp_path: Path) -> None:
    device, lacking = tmp_path / "device", tmp_path / "lacking"
    shutil.copytree(folder, device)
    lacking.mkdir()
    for name in ("torch", "pandas", "limbeck", "sklearn", "scipy", "safetensors", "onnx"):
        (lacking / f"{name}.py").write_text(f"raise ImportError('{name} is not on the device')")
    TABLE.assign(other=1).to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, str(device / "predict.py"), str(tmp_path / "new.csv"), "--out", str(tmp_path / "p.csv")]
    variables = {**os.environ, "PYTHONPATH": str(lacking)}
    said = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    found = pd.read_csv(tmp_path / "p.csv")
    assert found.columns.tolist() == ["prediction", "p(no)", "p(yes)"]
    np.testing.assert_allclose(found[["p(no)", "p(yes)"]], expected(product(TABLE)), atol=1e-6)
    command[2] = str(tmp_path / "absent.csv")
    said = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert said.returncode == 1 and said.stderr.startswith("predict.py: There is no file")


@pytest.mark.extra("onnx")
@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_a_reader_that_has_enough_ends_the_program_quietly(folder: Path, tmp_path: Path) -> None:
    pd.concat([TABLE] * 5000).to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, str(folder / "predict.py"), str(tmp_path / "new.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None and program.stderr is not None
        assert program.stdout.readline() == b"prediction,p(no),p(yes)\n"
        program.stdout.close()
        assert program.stderr.read() == b""


@pytest.mark.extra("onnx")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_limbeck_predicts_with_it(folder: Path, tmp_path: Path, ending: str) -> None:
    getattr(TABLE, f"to_{ending}")(tmp_path / f"new.{ending}", index=False)
    exported = Exported(folder, Onnx())
    found = exported.predict(exported.read(tmp_path / f"new.{ending}"))
    np.testing.assert_allclose(found[["p(no)", "p(yes)"]], expected(product(TABLE)), atol=1e-6)
    pd.testing.assert_frame_equal(found, exported.predict(TABLE))
    with pytest.raises(UsageError, match=r"The columns 'ward' are read, and are not here"):
        exported.predict(TABLE[["age"]])


@pytest.mark.parametrize("shape", [(5,), (6, 6)])
def test_arrays_by_pytorch_alone(shape: tuple[int, ...], tmp_path: Path) -> None:
    made = product(np.random.default_rng(0).random((9, *shape)))
    write_export(tmp_path / "out", made, [TorchExport()])
    assert not (tmp_path / "out" / "predict.py").exists(), "that program runs ONNX"
    np.save(tmp_path / "new.npy", made.samples)
    exported = Exported(tmp_path / "out", TorchExport())
    found = exported.predict(exported.read(tmp_path / "new.npy"))
    np.testing.assert_allclose(found[["p(no)", "p(yes)"]], expected(made), atol=1e-6)


def test_values_in_the_users_unit(tmp_path: Path) -> None:
    made = product(TABLE, Task("regression", offset=1000.0, scale=50.0))
    manifest = write_export(tmp_path / "out", made, [TorchExport()])
    assert manifest["models"][0]["parity"]["agreement"] is None
    found = Exported(tmp_path / "out", TorchExport()).predict(TABLE)
    with torch.no_grad():
        wanted = made.network(made.preprocessing.transform(TABLE))[:, 0].numpy() * 50 + 1000
    np.testing.assert_allclose(found["prediction"], wanted, rtol=1e-5)


def test_a_failure_leaves_the_older_export(tmp_path: Path) -> None:
    write_export(tmp_path / "out", product(TABLE), [TorchExport()])
    before = (tmp_path / "out" / "export.json").read_bytes()
    with pytest.raises(RunError, match="differs from the student"):
        write_export(tmp_path / "out", product(TABLE), [TorchExport(), _Wrong()])
    assert (tmp_path / "out" / "export.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    write_export(tmp_path / "out", product(TABLE, Task("regression")), [TorchExport()])
    assert read_json(tmp_path / "out" / "labels.json")["kind"] == "regression"


class _Wrong(TorchExport):
    """Writes another network than it was given."""

    file = "wrong.pt2"

    def write(self, network: nn.Module, samples: torch.Tensor, path: Path, about: Any) -> None:
        super().write(nn.Sequential(network, nn.Linear(2, 2)).eval(), samples, path, about)


def test_a_folder_of_anything_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mine.txt").write_text("mine")
    for path in (tmp_path / "letters", tmp_path / "letters" / "mine.txt"):
        with pytest.raises(UsageError, match="is no export of limbeck's: name another folder"):
            write_export(path, product(TABLE), [TorchExport()])
    assert (tmp_path / "letters" / "mine.txt").read_text() == "mine"


def test_what_is_no_export_or_was_changed_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no exported folder: it has no export.json"):
        read_manifest(tmp_path)
    (tmp_path / "export.json").write_text(json.dumps([1]))
    assert is_export(tmp_path)
    with pytest.raises(UsageError, match="was not written by limbeck"):
        read_manifest(tmp_path)
    write_export(tmp_path / "out", product(TABLE), [TorchExport()])
    with (tmp_path / "out" / "model.pt2").open("ab") as file:
        file.write(b"more")
    with pytest.raises(RunError, match="is not the file that was exported"):
        Exported(tmp_path / "out", TorchExport())


def test_preprocessing_that_no_device_has_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = product(TABLE)
    monkeypatch.setattr(TablePreprocessing, "state", lambda self: {"kind": "smell"})
    with pytest.raises(UsageError, match="What prepares smell does not run on a device yet"):
        write_export(tmp_path / "out", made, [TorchExport()])
    assert not (tmp_path / "out").exists()
