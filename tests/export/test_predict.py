"""The device's program: reads what a user has, and needs nothing that a device lacks."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

from limbeck.export._device import predict as device
from limbeck.export._device.predict import Model, read

CLASSES = {"kind": "classification", "classes": ["a", "b"], "offset": 0.0, "scale": 1.0}


@pytest.mark.parametrize("name", ["predict.py", "preprocessing.py"])
def test_it_imports_numpy_and_the_standard_library_alone(name: str) -> None:
    tree = ast.parse((Path(device.__file__).parent / name).read_text("utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in found} <= {*sys.stdlib_module_names, "numpy"}


def test_predictions_are_shares_that_sum_to_one_over_several_batches() -> None:
    model = Model(lambda inputs: np.stack([0 * inputs[:, 0], inputs[:, 0]], 1), CLASSES, {}, lambda _, x: x)
    logits = np.linspace(-800, 800, 601, dtype=np.float32)[:, None]
    found = model.predict(logits)
    np.testing.assert_allclose(
        found["p(b)"], 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(float), -700, 700))), atol=1e-12
    )
    np.testing.assert_allclose(np.add(found["p(a)"], found["p(b)"]), 1)
    assert found["prediction"] == ["a" if value <= 0 else "b" for value in logits[:, 0]]


def test_values_are_in_the_users_unit() -> None:
    labels = {"kind": "regression", "classes": [], "offset": 100.0, "scale": 10.0}
    model = Model(lambda inputs: inputs, labels, {}, lambda _, x: x)
    assert model.predict(np.array([[0.5], [-1.0]])) == {"prediction": [105.0, 90.0]}


def test_answers_that_are_no_numbers_are_told() -> None:
    model = Model(lambda inputs: inputs * np.nan, CLASSES, {}, lambda _, x: x)
    with pytest.raises(ValueError, match="no finite numbers"):
        model.predict(np.ones((2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="There are no samples"):
        model.predict(np.ones((0, 2), dtype=np.float32))


def test_a_table_is_read_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('\ufeffage; ward ;note\n1;"a;b";\n\n2; c;"two\nlines"\n', encoding="utf-8")
    assert read(tmp_path / "x.csv") == {"age": ["1", "2"], "ward": ["a;b", "c"], "note": ["", "two\nlines"]}


def test_arrays_and_pictures_are_read(tmp_path: Path) -> None:
    from PIL import Image

    values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.save(tmp_path / "x.npy", values)
    np.savez(tmp_path / "x.npz", inputs=values)
    assert read(tmp_path / "x.npy").tolist() == read(tmp_path / "x.npz").tolist() == values.tolist()
    Image.fromarray(values).save(tmp_path / "colour.png")
    Image.fromarray(values[:, :, 0]).save(tmp_path / "grey.png")
    assert read(tmp_path / "colour.png").tolist() == values.transpose(2, 0, 1)[None].tolist()
    assert read(tmp_path / "grey.png").tolist() == values[None, :, :, 0].tolist()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", b"a,b\n1,2\n3\n", "line 3: 1 cells, and the header has 2"),
        ("x.csv", b"a,b\n", "has no rows below a header"),
        ("x.csv", b"", "has no rows below a header"),
        ("x.csv", b"a,a\n1,2\n", "more than one column named 'a'"),
        ("x.csv", b"a\n\xff\n", "cannot be read as UTF-8"),
        ("x.csv.gz", b"a\n1\n", "cannot be read"),
        ("x.npy", b"nothing", "cannot be read as an array"),
        ("x.npz", b"nothing", "cannot be read as an array"),
        ("x.xlsx", b"", "must end in one of .csv"),
        ("x.png", b"nothing", "is not a picture that can be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read(tmp_path / name)
    with pytest.raises(ValueError, match="There is no file"):
        read(tmp_path / "absent.csv")
