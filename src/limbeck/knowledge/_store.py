"""The store: what a teacher says of a domain, read by sample and view from memory maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limbeck.core import Knowledge, RunError, Spec, UsageError
from limbeck.core.files import read_json
from limbeck.core.weights import fingerprint
from limbeck.knowledge._arrays import Layout, map_array, map_plain
from limbeck.knowledge._identity import differences
from limbeck.knowledge._journal import JOURNAL, Shard, damaged
from limbeck.knowledge._keeping import LOGITS, TOP, read_logits

__all__ = ["MANIFEST", "Store"]

MANIFEST = "manifest.json"
ROWS = "rows.npy"


@dataclass(frozen=True)
class Store:
    """Logits and layers of the samples of a domain, in views.

    arrays: by name ("logits", or the three of the top k, and the layers), each [views · rows, ...],
    the whole of one view after that of another. lookup: [N] the row of each sample of the domain,
    -1 where it is not stored; None where all are. classes: the width of the logits where only
    the top k are kept. about: the manifest.
    """

    folder: Path
    arrays: Mapping[str, Tensor]
    views: int = 1
    lookup: Tensor | None = None
    classes: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, expect: Mapping[str, Any] | None = None, verify: bool = True) -> Store:
        """Open a finished store.

        expect: the identity that it must have; `UsageError` names the fields that differ. verify:
        compare the checksums of all shards; `RunError` names the damaged ones, with the mend.
        """
        folder = Path(folder)
        about = manifest_of(folder)
        if expect is not None and (found := differences(about["identity"], expect)):
            raise UsageError(
                f"The stored knowledge {folder} is not what is asked for: it differs in {', '.join(found)}. "
                "Label the domain again with `limbeck label`, or ask with the settings that the store was made with."
            )
        if verify and (faults := damage(folder, about)):
            raise RunError(
                f"The stored knowledge {folder} is damaged: {'; '.join(faults)}. "
                "Run `limbeck label` again: it computes these rows anew and keeps the rest."
            )
        arrays = {name: map_array(folder, layout) for name, layout in layouts_of(about).items()}
        return cls(folder, arrays, about["views"], _lookup(folder, about), about["classes"], about)

    def __len__(self) -> int:
        return next(iter(self.arrays.values())).shape[0] // self.views

    def read(self, index: Tensor, view: int = 0) -> Knowledge:
        """The knowledge of one view of the samples at `index` [n], on the CPU, in the kept type."""
        if not 0 <= view < self.views:
            raise UsageError(f"The store {self.folder} has {self.views} views of each sample. There is no view {view}.")
        rows = index if self.lookup is None else self._rows(index)
        if view:
            rows = rows + view * len(self)
        read = {name: torch.index_select(array, 0, rows) for name, array in self.arrays.items()}
        if self.classes and TOP[0] in read:
            return Knowledge(read_logits({name: read.pop(name) for name in TOP}, self.classes), read)
        return Knowledge(read.pop(LOGITS, None), read)

    def spec(self) -> Spec:
        layers = {name: tuple(array.shape[1:]) for name, array in self.arrays.items() if name not in (LOGITS, *TOP)}
        return Spec(self.arrays[LOGITS].shape[1] if LOGITS in self.arrays else self.classes, layers)

    def encoding(self, layer: str) -> tuple[Tensor, Tensor]:
        """Mean [d] and components [k, d] of a layer that is kept as PCA codes: layer ≈ codes · components + mean."""
        about = self.about.get("encodings", {}).get(layer)
        if about is None:
            raise UsageError(f"The layer {layer!r} of the store {self.folder} is not kept as PCA codes.")
        return map_plain(self.folder / about["mean"]), map_plain(self.folder / about["components"])

    def _rows(self, index: Tensor) -> Tensor:
        assert self.lookup is not None
        rows = self.lookup[index]
        if bool((rows < 0).any()):
            missing = int(index[rows < 0][0])
            raise UsageError(f"Sample {missing} is not in the store {self.folder}, which holds {len(self)} samples.")
        return rows


def layouts_of(about: Mapping[str, Any]) -> dict[str, Layout]:
    return {name: Layout(x["file"], x["dtype"], tuple(x["shape"])) for name, x in about["arrays"].items()}


def damage(folder: Path, about: Mapping[str, Any]) -> list[str]:
    """The damaged shards and files of a finished store, in words."""
    layouts, faults = layouts_of(about), []
    for shard in (Shard(**entry) for entry in about["shards"]):
        if names := damaged(folder, layouts, shard, about["rows"]):
            faults.append(f"rows {shard.start} to {shard.stop} of view {shard.view} in {', '.join(sorted(names))}")
    for layer, encoding in about["encodings"].items():
        if encoding["digest"] != digest_of(folder, encoding):
            faults.append(f"the PCA encoding of {layer}")
    if about["identity"]["rows"] not in ("all", digest_of(folder, {"rows": ROWS})):
        faults.append(ROWS)
    return faults


def digest_of(folder: Path, files: Mapping[str, Any]) -> str:
    """A fingerprint of the small arrays that an encoding names, or of the rows; "" where they cannot be read."""
    try:
        return fingerprint(*(map_plain(folder / files[key]) for key in ("mean", "components", "rows") if key in files))
    except RunError:
        return ""


def manifest_of(folder: Path) -> dict[str, Any]:
    """What is written of a finished store; `UsageError` where it is none."""
    path = folder / MANIFEST
    if not path.is_file():
        begun = (folder / JOURNAL).is_file()
        state = "is not finished" if begun else "is not there"
        raise UsageError(f"The stored knowledge {folder} {state}. Run `limbeck label`, which goes on where it stopped.")
    about = read_json(path)
    if not isinstance(about, dict) or "identity" not in about:
        raise UsageError(f"{folder} is not stored knowledge of this version. Label the domain again.")
    return about


def _lookup(folder: Path, about: Mapping[str, Any]) -> Tensor | None:
    if about["identity"]["rows"] == "all":
        return None
    rows = map_plain(folder / ROWS)
    lookup = torch.full((about["samples"],), -1, dtype=torch.int64)
    lookup[rows] = torch.arange(len(rows))
    return lookup
