"""The exported folder: the model's files, preprocessing, labels, a program that predicts, a card; and it at work."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

import limbeck
from limbeck.core import RunError, Task, UsageError
from limbeck.core.files import atomic_folder, read_json, write_json, write_text
from limbeck.core.tables import pd
from limbeck.data import Preprocessing, restore_preprocessing
from limbeck.export._card import card_text, model_card
from limbeck.export._device import predict as device
from limbeck.export._device.preprocessing import PREPARE, prepare
from limbeck.export._export import Export, export_network
from limbeck.export._inputs import cells
from limbeck.export._parity import Parity, compare

__all__ = ["Exported", "Product", "is_export", "read_manifest", "write_export"]

MANIFEST = "export.json"
DEVICE = Path(device.__file__).parent
REQUIRED = {"numpy": "1.26", "onnxruntime": "1.18"}
"""What predict.py needs, and from which version on."""


@dataclass(frozen=True)
class Product:
    """What is exported. network: [n, ...] → [n, outputs]. samples: raw inputs to compare on.

    about: whose it is, as JSON: the keys name, row, seed and step, which the model card looks for in the run.
    file: what the network has become already, an INT8 file, say. It leaves as it is, and how it compares with the
    network is told without a tolerance.
    """

    network: nn.Module
    preprocessing: Preprocessing
    task: Task
    samples: pd.DataFrame | np.ndarray
    about: Mapping[str, Any]
    file: Path | None = None


def write_export(folder: Path, product: Product, forms: Sequence[Export], run: Path | None = None) -> dict[str, Any]:
    """Write the exported folder, each model file compared at once with the student; returns its export.json.

    run: the run folder, of which the model card tells. The folder is whole or, on any error, as it was before. An
    older export there is replaced; `UsageError` where the folder holds anything else.
    """
    if folder.exists() and not is_export(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and is no export of limbeck's: name another folder.")
    state = product.preprocessing.state()
    if state["kind"] not in PREPARE:
        raise UsageError(f"What prepares {state['kind']} does not run on a device yet, so the student is not exported.")
    inputs = product.preprocessing.transform(product.samples)
    _check_preparation(state, product.samples, inputs.numpy())
    about = {"limbeck": limbeck.__version__, **product.about, "task": product.task.state()}
    with atomic_folder(folder) as made:
        parities = {form: _placed(product, inputs, made, form, about) for form in forms}
        write_json(made / "preprocessing.json", state)
        write_json(made / "labels.json", product.task.state())
        manifest = {
            **about,
            "shape": list(inputs.shape[1:]),
            "models": [_model(form, made) | {"parity": parity.state()} for form, parity in parities.items()],
        }
        write_json(made / MANIFEST, manifest)
        card = model_card(manifest, state, run)
        write_json(made / "card.json", card)
        write_text(made / "card.md", card_text(card))
        if any(form.file == device.MODEL for form in forms):
            _write_program(made)
    return manifest


def _placed(product: Product, inputs: Tensor, folder: Path, form: Export, about: Mapping[str, Any]) -> Parity:
    """The model file in the folder, compared with the network."""
    if product.file is None:
        return export_network(product.network, inputs, folder, form, about)
    if product.file.name != form.file:
        raise UsageError(f"The student is the file {product.file.name}, which is not of the format {_named(form)}.")
    shutil.copyfile(product.file, folder / form.file)
    return compare(form.runner(folder / form.file, threads=1), product.network, inputs)


def _check_preparation(state: Mapping[str, Any], samples: Any, wanted: np.ndarray) -> None:
    found = prepare(state, cells(samples))
    apart = float(np.abs(found - wanted).max())
    if not apart <= 1e-4:
        raise RunError(f"The device's preprocessing differs from the training's by {apart:.2g}: nothing was written.")


def _model(form: Export, folder: Path) -> dict[str, Any]:
    content = (folder / form.file).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"format": _named(form), "file": form.file, "bytes": len(content), "sha256": digest}


def _named(form: Export) -> str:
    """A format's name in a recipe: its file's, or the dotted path of one from elsewhere."""
    module, kind = type(form).__module__, type(form).__qualname__
    room, _, name = module.rpartition(".")
    return name if room == __package__ else f"{module}:{kind}"


def _write_program(folder: Path) -> None:
    for name in ("predict.py", "preprocessing.py"):
        shutil.copyfile(DEVICE / name, folder / name)
    tried = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in REQUIRED)
    lines = [f"# Compared with the student under {tried}", *(f"{name}>={least}" for name, least in REQUIRED.items())]
    write_text(folder / "requirements.txt", "\n".join(lines) + "\n")


class Exported:
    """An exported folder at work: raw inputs in, predictions out, by the code that runs on the device.

    form: how the first of its models is run, of the format that `manifest` names there.
    """

    def __init__(self, folder: Path, form: Export):
        self.folder = folder
        self.manifest = read_manifest(folder)
        model = self.manifest["models"][0]
        path = folder / model["file"]
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != model["sha256"]:
            raise RunError(f"{path} is not the file that was exported. Export the run again.")
        self.labels, self.preprocessing = (read_json(folder / f"{name}.json") for name in ("labels", "preprocessing"))
        self.model = device.Model(form.runner(path), self.labels, self.preprocessing, prepare)

    def read(self, path: Path) -> Any:
        """Raw inputs from a file: as predict.py reads it, or as `limbeck predict` does where that cannot."""
        if path.is_file() and path.name.lower().endswith((*device.TABLES, *device.ARRAYS)):
            with _users_errors():
                return device.read(path)
        return cells(restore_preprocessing(self.preprocessing).read(path))

    def predict(self, inputs: Any) -> pd.DataFrame:
        """A row per sample: `prediction`, and `p(class)` of every class; for regression the value alone.

        inputs: what `read` gave, a data frame, or an array. `UsageError` where they do not fit.
        """
        with _users_errors():
            return pd.DataFrame(self.model.predict(cells(inputs) if isinstance(inputs, pd.DataFrame) else inputs))


@contextlib.contextmanager
def _users_errors() -> Iterator[None]:
    """The device's `ValueError`s, which know nothing of limbeck, as the house's."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


def is_export(folder: Path) -> bool:
    """Whether a folder is an exported one."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What export.json says: whose it is, its models, how they compared; `UsageError` where there is none."""
    if not is_export(folder):
        raise UsageError(f"{folder} is no exported folder: it has no {MANIFEST}. `limbeck export RUN` writes one.")
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not manifest.get("models"):
        raise UsageError(f"{folder / MANIFEST} was not written by limbeck. `limbeck export RUN` writes one.")
    return manifest
