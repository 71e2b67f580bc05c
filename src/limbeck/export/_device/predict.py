"""Predictions of the student that this folder holds: python predict.py DATA [--out predictions.csv]

DATA: a .csv, .tsv or .txt table (also .gz) for tables and texts, else a .npy array, the array `inputs` of an .npz
file, or a picture, which needs Pillow. All else needs NumPy and onnxruntime alone: pip install -r requirements.txt
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib
import io
import json
import re
import signal
import sys
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ARRAYS", "MODEL", "PICTURES", "TABLES", "Model", "onnx_runner", "read"]

MISSING = ("", "?", "na", "n/a", "nan", "null", "none")
DECIMAL = re.compile(r"[-+]?\d+(,\d+)?([eE][-+]?\d+)?")
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
ARRAYS = (".npy", ".npz")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MODEL = "model.onnx"
AT_ONCE = 256
"""So many samples go through the network together."""

Runner = Callable[[np.ndarray], np.ndarray]


class Model:
    """The student at work: raw inputs → predictions.

    runner: the network, float32 [n, ...] → [n, outputs]. labels: what labels.json holds, preprocessing: what
    preprocessing.json holds. prepare: the function of that name in preprocessing.py.
    """

    def __init__(
        self,
        runner: Runner,
        labels: Mapping[str, Any],
        preprocessing: Mapping[str, Any],
        prepare: Callable[[Mapping[str, Any], Any], np.ndarray],
    ):
        self.runner = runner
        self.labels = labels
        self.preprocessing = preprocessing
        self.prepare = prepare

    def outputs(self, inputs: Any) -> np.ndarray:
        """What the network says of raw inputs: float32 [n, outputs]."""
        ready = self.prepare(self.preprocessing, inputs)
        if not len(ready):
            raise ValueError("There are no samples.")
        made = np.concatenate([self.runner(ready[i : i + AT_ONCE]) for i in range(0, len(ready), AT_ONCE)])
        if not np.isfinite(made).all():
            raise ValueError("The network's answers are no finite numbers: the inputs are far beyond what it learnt.")
        return made

    def predict(self, inputs: Any) -> dict[str, list[Any]]:
        """Columns of n: `prediction`, and `p(class)` of every class; for regression the value alone."""
        outputs = self.outputs(inputs).astype(np.float64)
        if self.labels["kind"] == "regression":
            values = outputs[:, 0] * self.labels["scale"] + self.labels["offset"]
            return {"prediction": values.tolist()}
        shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        names = [self.labels["classes"][place] for place in shares.argmax(axis=1)]
        columns = {f"p({name})": shares[:, i].tolist() for i, name in enumerate(self.labels["classes"])}
        return {"prediction": names, **columns}


def read(path: Path) -> Any:
    """A table's columns by name, as lists of texts, or an array; `ValueError` says what is wrong with the file."""
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    if path.name.lower().endswith(TABLES):
        try:
            return _table(path)
        except csv.Error as error:
            raise ValueError(f"{path} is not a table: {error}") from error
    if path.suffix.lower() in PICTURES:
        return _picture(path)
    if path.suffix.lower() not in ARRAYS:
        raise ValueError(f"{path} must end in one of {', '.join((*TABLES, *ARRAYS, *PICTURES))}.")
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return loaded["inputs"]
    except (ValueError, EOFError, OSError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as an array of numbers: {error}") from error


def _table(path: Path) -> dict[str, list[str]]:
    """The columns of a table; the separator is the one of comma, semicolon and tab that its header has most of."""
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read as UTF-8: {error}") from error
    separator = max((",", ";", "\t"), key=re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0]).count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows: list[list[str]] = []
    for cells in lines:
        if cells and rows and len(cells) != len(rows[0]):
            header = f"the header has {len(rows[0])} (separated by {separator!r})"
            raise ValueError(f"{path}, line {lines.line_num}: {len(cells)} cells, and {header}.")
        if cells:
            rows.append(cells)
    if len(rows) < 2:
        raise ValueError(f"{path} has no rows below a header.")
    names = [name.strip() for name in rows[0]]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has more than one column named {', '.join(map(repr, twice))}.")
    columns = dict(zip(names, map(list, zip(*rows[1:], strict=True)), strict=True))
    return columns if separator == "," else {name: _with_points(cells) for name, cells in columns.items()}


def _with_points(cells: list[str]) -> list[str]:
    """A column of decimal commas with points in their place, any other as it is."""
    known = [cell.strip() for cell in cells if cell.strip().lower() not in MISSING]
    return [cell.replace(",", ".") for cell in cells] if known and all(map(DECIMAL.fullmatch, known)) else cells


def _picture(path: Path) -> np.ndarray:
    image_module: Any = importlib.import_module("PIL.Image")
    try:
        with image_module.open(path) as image:
            grey = image.mode in ("1", "L", "LA", "I;16")
            pixels = np.array(image.convert("L" if grey else "RGB"))
    except OSError as error:
        raise ValueError(f"{path} is not a picture that can be read: {error}") from error
    return pixels[None] if grey else pixels.transpose(2, 0, 1)[None]


def onnx_runner(path: Path, threads: int = 0) -> Runner:
    """The network of an ONNX file, run by onnxruntime. threads: of one operator, 0 for all processors."""
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: session.run(None, {name: inputs})[0]


def main() -> None:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="the CSV to write, not standard output")
    given = parser.parse_args()
    folder = Path(__file__).resolve().parent
    labels, state = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("labels", "preprocessing"))
    prepare = importlib.import_module("preprocessing").prepare  # the file beside this one
    try:
        columns = Model(onnx_runner(folder / MODEL), labels, state, prepare).predict(read(given.data))
    except (ValueError, ImportError) as error:
        sys.exit(f"predict.py: {error}")
    if sys.platform != "win32":  # a reader such as `head` that has enough ends this quietly
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    out = given.out.open("w", encoding="utf-8", newline="") if given.out else sys.stdout
    with out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


if __name__ == "__main__":
    main()
