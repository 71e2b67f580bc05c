"""The store: what a teacher says of a domain, computed once, read by index."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from limbeck.core import FEATURES, Knowledge, RunError, Spec
from limbeck.core.files import atomic_path, read_json, write_json
from limbeck.core.weights import fingerprint
from limbeck.teachers import Teacher

__all__ = ["Store", "label_domain", "store_identity"]

VERSION = 1
SHARD = 8192
LOGITS = "logits"


def store_identity(teacher: Teacher, inputs: Tensor, layers: Sequence[str]) -> dict[str, Any]:
    """What a store's answers depend on; equal identities mean equal answers."""
    return {
        "version": VERSION,
        "teacher": teacher.fingerprint(),
        "inputs": fingerprint(inputs),
        "samples": inputs.shape[0],
        "layers": sorted(layers),
    }


@dataclass(frozen=True)
class Store:
    """Logits and layers of every sample of a domain, in the order of the domain."""

    folder: Path
    arrays: dict[str, Tensor]

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Read a finished store; `RunError` where shards are missing or of another size."""
        manifest = read_json(folder / "manifest.json")
        names = manifest["arrays"]
        arrays = {}
        for name in names:
            shards = [_read_shard(folder, name, number, rows) for number, rows in enumerate(manifest["shards"])]
            arrays[name] = torch.from_numpy(np.concatenate(shards))
        return cls(folder, arrays)

    def __len__(self) -> int:
        return next(iter(self.arrays.values())).shape[0]

    def read(self, index: Tensor) -> Knowledge:
        """The knowledge of the samples at `index` [n], on the CPU."""
        rows = {name: array[index] for name, array in self.arrays.items()}
        return Knowledge(rows.pop(LOGITS, None), rows)

    def spec(self) -> Spec:
        layers = {name: tuple(array.shape[1:]) for name, array in self.arrays.items() if name != LOGITS}
        return Spec(self.arrays[LOGITS].shape[1] if LOGITS in self.arrays else 0, layers)


def label_domain(
    root: Path,
    teacher: Teacher,
    inputs: Tensor,
    layers: Sequence[str] = (FEATURES,),
    batch_size: int = 512,
    progress: Callable[[int], None] = lambda samples: None,
) -> Store:
    """The store of this teacher and these inputs [N, ...] below `root`, computed where it is not yet there.

    A stopped call goes on from the last whole shard; an identical store is read, not computed.
    """
    identity = store_identity(teacher, inputs, layers)
    folder = root / fingerprint(*(f"{key}={value}" for key, value in identity.items()))
    if not (folder / "manifest.json").exists():
        names = [LOGITS, *sorted(layers)] if LOGITS in teacher.provides else sorted(layers)
        _compute(folder, teacher, inputs, names, batch_size, progress)
        total = inputs.shape[0]
        sizes = [min(SHARD, total - start) for start in range(0, total, SHARD)]
        write_json(folder / "manifest.json", {**identity, "arrays": names, "shards": sizes})
    return Store.open(folder)


def _compute(
    folder: Path,
    teacher: Teacher,
    inputs: Tensor,
    names: Sequence[str],
    batch_size: int,
    progress: Callable[[int], None],
) -> None:
    for number, start in enumerate(range(0, inputs.shape[0], SHARD)):
        rows = inputs[start : start + SHARD]
        if all(_shard_path(folder, name, number).exists() for name in names):
            progress(len(rows))
            continue
        parts: dict[str, list[Tensor]] = {name: [] for name in names}
        for batch in rows.split(batch_size):
            said = teacher.label(batch)
            for name in names:
                parts[name].append(said.scores() if name == LOGITS else said.features[name])
            progress(len(batch))
        for name, tensors in parts.items():
            with atomic_path(_shard_path(folder, name, number)) as temporary:
                temporary.write_bytes(_npy(torch.cat(tensors)))


def _npy(tensor: Tensor) -> bytes:
    file = io.BytesIO()  # on a full disk NumPy's own writer raises an error that does not say so
    np.save(file, tensor.cpu().numpy(), allow_pickle=False)
    return file.getvalue()


def _shard_path(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name.replace('/', '_')}-{number:05d}.npy"


def _read_shard(folder: Path, name: str, number: int, rows: int) -> np.ndarray:
    path = _shard_path(folder, name, number)
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(
            f"The stored knowledge {path} cannot be read: {error}. Remove {folder} and run again."
        ) from error
    if array.shape[0] != rows:
        raise RunError(
            f"The stored knowledge {path} has {array.shape[0]} rows, not {rows}. Remove {folder}, run again."
        )
    return array
