"""Labelling: a teacher is shown a whole domain once, and what it says is stored, whatever interrupts it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from limbeck.core import FEATURES, Knowledge
from limbeck.core.files import write_json, writing
from limbeck.knowledge._arrays import Layout, file_name, map_array, map_plain, save_array
from limbeck.knowledge._identity import Labelling, check_labelling, digest, store_identity
from limbeck.knowledge._journal import Journal, exclusive
from limbeck.knowledge._keeping import DTYPES, LOGITS, TOP, in_kept_type
from limbeck.knowledge._pca import Encoding, Moments, encode, principal_components
from limbeck.knowledge._reader import seen
from limbeck.knowledge._shards import OpenShard
from limbeck.knowledge._store import MANIFEST, ROWS, Store, damage, digest_of, manifest_of
from limbeck.teachers import Teacher

__all__ = ["label_domain"]

WHOLE = "@whole"
"""Ends the name of a layer that waits for its PCA; no file name of a layer has such a sign."""


def label_domain(
    root: Path,
    teacher: Teacher,
    inputs: Tensor,
    layers: Sequence[str] = (FEATURES,),
    labelling: Labelling | None = None,
    progress: Callable[[int], None] = lambda samples: None,
) -> Store:
    """The store of this teacher and these inputs [N, ...] below `root`, computed where it is not yet there.

    A stopped call goes on from the last whole shard, damaged shards are computed again, and an
    identical store is read, not computed. A second call at the same time waits, then reads. Each
    batch of a view covers the same samples whatever was interrupted, so that the stored bits are
    those of a call that never was. `progress` is told the samples of each batch, views counted.

    Raises `UsageError` where the settings do not suit the teacher, `RunError` where the disk
    fails; the shards written until then stay.
    """
    labelling = labelling or Labelling()
    identity = store_identity(teacher, inputs, layers, labelling)
    check_labelling(teacher, inputs, identity["layers"], labelling)
    folder = Path(root) / digest(identity)
    if not _whole(folder):
        with writing(folder), exclusive(folder):
            if not _whole(folder):
                _Labeller(folder, teacher, inputs, labelling, identity, progress).run()
    return Store.open(folder, identity, verify=False)


def _whole(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and not damage(folder, manifest_of(folder))


class _Labeller:
    """One call at work: asks, keeps, encodes, and tells the journal."""

    def __init__(
        self,
        folder: Path,
        teacher: Teacher,
        inputs: Tensor,
        labelling: Labelling,
        identity: dict[str, Any],
        progress: Callable[[int], None],
    ):
        self.folder = folder
        self.inputs = inputs
        self.labelling = labelling
        self.keeping = labelling.keeping
        self.layers: list[str] = identity["layers"]
        self.identity = identity
        self.ask = labelling.ask or teacher.label
        self.speaks = LOGITS in teacher.provides
        self.progress = progress
        self.rows = len(inputs) if labelling.rows is None else len(labelling.rows)
        self.views = identity["views"]["count"]
        self.first: Knowledge | None = None
        self.told = set[tuple[int, int]]()

    def run(self) -> None:
        """Take up what is there, compute what is not, and finish with the manifest."""
        (self.folder / MANIFEST).unlink(missing_ok=True)
        if self.labelling.rows is not None:
            save_array(self.folder / ROWS, self.labelling.rows)
        self.journal = Journal.read(self.folder)
        if self.journal.plan.get("identity") != self.identity:
            self.journal = Journal(self.folder)
            self._plan()
        self._drop_damaged()
        if self.keeping.pca is not None and self.layers:
            self._encode()
        self._label(self._final())
        self._finish()

    def _plan(self) -> None:
        """Choose k and the shapes by the first batch, which is not asked again."""
        self.first = self._said(0, 0, min(self.labelling.batch_size, self.rows))
        classes = self.first.scores().shape[1] if self.speaks else 0
        self.journal.plan = {
            "identity": self.identity,
            "samples": len(self.inputs),
            "rows": self.rows,
            "views": self.views,
            "batch_size": self.labelling.batch_size,
            "classes": classes,
            "top": self.keeping.count(self.first.scores().float()) if self.speaks else None,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        suffix = "" if self.keeping.pca is None else WHOLE
        for name, values in self._kept(self.first, suffix)[0].items():
            self._lay_out(name, values)

    def _lay_out(self, name: str, values: Tensor) -> None:
        layer, whole, _ = name.partition(WHOLE)
        file = file_name(layer).removesuffix(".npy") + whole + ".npy"
        kind = next(kind for kind, dtype in DTYPES.items() if dtype == values.dtype)
        self.journal.layouts[name] = Layout(file, kind, (self.views * self.rows, *values.shape[1:]))

    def _drop_damaged(self) -> None:
        """Forget what the disk does not hold; what is forgotten is computed again."""
        kept = {
            layer: about
            for layer, about in self.journal.encodings.items()
            if about["digest"] == digest_of(self.folder, about)
        }
        if len(kept) < len(self.journal.encodings):  # codes of a lost encoding say nothing
            codes = set(self.journal.encodings)
            self.journal.shards = [shard.without(codes) for shard in self.journal.shards]
            kept = {}
        self.journal.encodings = kept
        self.journal.shards = self.journal.checked()
        self.journal.rewrite()

    def _final(self) -> list[str]:
        """The arrays that the finished store has."""
        return [name for name in self.journal.layouts if not name.endswith(WHOLE)]

    def _missing(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """View and first row of each batch that lacks one of the arrays."""
        step = self.journal.plan["batch_size"]
        stored = {
            (shard.view, start, name)
            for shard in self.journal.shards
            for start in range(shard.start, shard.stop, step)
            for name in shard.checksums
        }
        return [place for place in self._places() if any((*place, name) not in stored for name in names)]

    def _places(self) -> list[tuple[int, int]]:
        """View and first row of each batch: the same whatever was interrupted."""
        starts = range(0, self.rows, self.journal.plan["batch_size"])
        return [(view, start) for view in range(self.views) for start in starts]

    def _label(self, names: Sequence[str]) -> None:
        """Ask the teacher for every batch that lacks one of these arrays."""
        suffix = WHOLE if any(name.endswith(WHOLE) for name in names) else ""

        def answered(view: int, start: int, stop: int) -> tuple[dict[str, Tensor], float]:
            said, self.first = self.first or self._said(view, start, stop), None
            self._tell({(view, start)})
            return self._kept(said, suffix)

        missing = self._missing(names)
        self._tell(set(self._places()) - set(missing))
        self._write(missing, names, answered)

    def _tell(self, places: set[tuple[int, int]]) -> None:
        """Each batch is progress once, though it may be labelled and then encoded."""
        step = self.journal.plan["batch_size"]
        for _, start in places - self.told:
            self.progress(min(step, self.rows - start))
        self.told |= places

    def _write(
        self,
        places: Sequence[tuple[int, int]],
        names: Sequence[str],
        make: Callable[[int, int, int], tuple[dict[str, Tensor], float]],
    ) -> None:
        """Write batches, and close a shard when it is large or old enough, or the next batch lies elsewhere."""
        step = self.journal.plan["batch_size"]
        shard = OpenShard(self.journal, names)
        try:
            for view, start in places:
                stop = min(start + step, self.rows)
                shard.turn_to(view, start)
                shard.add(stop, *make(view, start, stop))
            shard.close()
        finally:
            shard.release()

    def _said(self, view: int, start: int, stop: int) -> Knowledge:
        index = torch.arange(start, stop)
        if self.labelling.rows is not None:
            index = self.labelling.rows[start:stop]
        return self.ask(seen(self.inputs, index, view, self.labelling.views))

    def _kept(self, said: Knowledge, suffix: str) -> tuple[dict[str, Tensor], float]:
        """Arrays of a batch in the kept type, and the mass that their top k hold; `suffix` asks for whole layers."""
        arrays, mass, dtype, top = dict[str, Tensor](), 0.0, self.keeping.dtype, self.journal.plan["top"]
        if self.speaks and top is None:
            arrays[LOGITS] = in_kept_type(said.scores(), dtype, LOGITS)
        elif self.speaks:
            parts, mass = self.keeping.cut(said.scores().float(), top)
            for name, part in parts.items():
                arrays[name] = part.cpu() if name == TOP[1] else in_kept_type(part, dtype, name)
        for layer in self.layers:
            values = said.features[layer]
            if self.keeping.pool and values.ndim > 2:
                values = values.flatten(2).mean(2)
            if self.keeping.pca is None:
                arrays[layer] = in_kept_type(values, dtype, layer)
            elif suffix:
                arrays[layer + WHOLE] = in_kept_type(values.flatten(1), "fp32", layer)
            else:
                codes = encode(in_kept_type(values.flatten(1), "fp32", layer), self._encodings[layer])
                arrays[layer] = in_kept_type(codes, dtype, layer)
        return arrays, mass

    @property
    def _encodings(self) -> dict[str, Encoding]:
        return {
            layer: Encoding(
                map_plain(self.folder / about["mean"]), map_plain(self.folder / about["components"]), about["variance"]
            )
            for layer, about in self.journal.encodings.items()
        }

    def _encode(self) -> None:
        """Whole layers to disk, one pass for the components, then codes from what lies there."""
        if not self.journal.encodings:
            whole = [name for name in self.journal.layouts if name not in self.layers]
            self._label(whole)
            for layer in self.layers:
                self._fit(layer, map_array(self.folder, self.journal.layouts[layer + WHOLE]))
            self.journal.rewrite()
        wholes = [layer + WHOLE for layer in self.layers]
        ready = set(self._places()) - set(self._missing(wholes))
        if not ready:
            return
        maps = {layer: map_array(self.folder, self.journal.layouts[layer + WHOLE]) for layer in self.layers}
        encodings = self._encodings

        def coded(view: int, start: int, stop: int) -> tuple[dict[str, Tensor], float]:
            rows = slice(view * self.rows + start, view * self.rows + stop)
            codes = {layer: encode(whole[rows], encodings[layer]) for layer, whole in maps.items()}
            return {layer: in_kept_type(value, self.keeping.dtype, layer) for layer, value in codes.items()}, 0.0

        self._write([place for place in self._missing(self.layers) if place in ready], self.layers, coded)

    def _fit(self, layer: str, rows: Tensor) -> None:
        """The encoding of a layer, over all stored samples in all views: what is read is what it was fitted to."""
        assert self.keeping.pca is not None
        moments = Moments(rows.shape[1])
        for batch in rows.split(self.journal.plan["batch_size"]):
            moments.add(batch)
        encoding = principal_components(moments, self.keeping.pca)
        stem = file_name(layer).removesuffix(".npy")
        about: dict[str, Any] = {"mean": f"{stem}@mean.npy", "components": f"{stem}@components.npy"}
        save_array(self.folder / about["mean"], encoding.mean)
        save_array(self.folder / about["components"], encoding.components)
        about |= {"variance": encoding.variance, "digest": digest_of(self.folder, about)}
        self.journal.encodings[layer] = about
        codes = torch.empty(0, len(encoding.components), dtype=DTYPES[self.keeping.dtype])
        self._lay_out(layer, codes)

    def _finish(self) -> None:
        """Remove what only served to make the store, then write the manifest: with it nothing is left over."""
        names = self._final()
        shards = [shard.without(set(self.journal.layouts) - set(names)) for shard in self.journal.shards]
        mass = sum(shard.mass for shard in shards) / (self.rows * self.views)
        layouts = {name: self.journal.layouts[name] for name in names}
        about = {
            "complete": True,
            **self.journal.plan,
            "axes": "each array is [views · rows, ...]: all rows of view 0, then all of view 1, and so on",
            "arrays": {name: asdict(layout) for name, layout in layouts.items()},
            "encodings": self.journal.encodings,
            "mass": None if self.journal.plan["top"] is None else mass,
            "variance": {layer: encoding["variance"] for layer, encoding in self.journal.encodings.items()},
            "payload_bytes": sum(layout.row_bytes * layout.shape[0] for layout in layouts.values()),
            "seconds": round(sum(shard.seconds for shard in shards), 3),
            "shards": [asdict(shard) for shard in shards if shard.checksums],
        }
        for name in set(self.journal.layouts) - set(names):
            (self.folder / self.journal.layouts[name].file).unlink(missing_ok=True)
        write_json(self.folder / MANIFEST, about)
