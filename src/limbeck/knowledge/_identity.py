"""What a store's answers depend on: equal identities mean equal answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from limbeck.core import Knowledge, UsageError, bad_value
from limbeck.core.weights import fingerprint
from limbeck.knowledge._keeping import LOGITS, RESERVED, Keeping
from limbeck.knowledge._reader import ViewsLike
from limbeck.teachers import Teacher

__all__ = ["Labelling", "check_labelling", "differences", "digest", "store_identity"]

VERSION = 2
CHUNK = 65536


@dataclass(frozen=True)
class Labelling:
    """How a domain is labelled.

    views: what the teacher is shown of each sample; None for the samples as they are. rows: [r]
    the samples that are stored, None for all. ask: how the teacher is asked, `teacher.label`
    unless given (another precision, say: then `extras` must tell it). extras: whatever else the
    answers depend on, by name, such as the precision and the preprocessing.
    """

    keeping: Keeping = field(default_factory=Keeping)
    views: ViewsLike | None = None
    rows: Tensor | None = None
    batch_size: int = 128
    ask: Callable[[Tensor], Knowledge] | None = None
    extras: Mapping[str, str] = field(default_factory=dict)


def store_identity(
    teacher: Teacher, inputs: Tensor, layers: Sequence[str], labelling: Labelling | None = None
) -> dict[str, Any]:
    """What the answers depend on, field by field; inputs that lie in a file are read once, in chunks."""
    labelling = labelling or Labelling()
    views, rows = labelling.views, labelling.rows
    return {
        "version": VERSION,
        "teacher": teacher.fingerprint(),
        "inputs": fingerprint(str(tuple(inputs.shape)), *inputs.split(CHUNK)),
        "samples": inputs.shape[0],
        "rows": "all" if rows is None else fingerprint(rows),
        "layers": sorted(set(layers)),
        "views": {"count": 1, "augmentations": "none"} if views is None else _views(views),
        "keeping": asdict(labelling.keeping),
        "extras": dict(sorted(labelling.extras.items())),
    }


def check_labelling(teacher: Teacher, inputs: Tensor, layers: Sequence[str], labelling: Labelling) -> None:
    """`UsageError` where the settings do not suit the teacher or the samples."""
    if labelling.batch_size < 1:
        raise bad_value("batch_size", "labelling", "> 0", labelling.batch_size)
    rows = labelling.rows
    if len(inputs) == 0 or (rows is not None and rows.numel() == 0):
        raise UsageError("There are no samples to label.")
    if rows is not None and (rows.min() < 0 or rows.max() >= len(inputs) or len(rows.unique()) < len(rows)):
        raise bad_value("rows", "labelling", f"different numbers below {len(inputs)}", rows.tolist()[:10])
    if taken := RESERVED & set(layers):
        raise UsageError(f"The layer {sorted(taken)[0]!r} has a name that the store uses itself. Rename the submodule.")
    cut = labelling.keeping.mass is not None or labelling.keeping.top is not None
    if LOGITS not in teacher.provides and (not layers or cut):
        raise UsageError("The teacher gives no logits: name layers to keep, and set no 'mass' or 'top' of keeping.")


def digest(identity: Mapping[str, Any]) -> str:
    """The name of the folder of a store with this identity."""
    return fingerprint(json.dumps(identity, sort_keys=True))


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The fields in which two identities differ, each with its two values.

    >>> differences({"teacher": "a", "views": {"count": 1}}, {"teacher": "a", "views": {"count": 2}})
    ['views.count (1, not 2)']
    """
    found = []
    for name in dict.fromkeys((*ours, *theirs)):
        one, other = ours.get(name), theirs.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [f"{name}.{difference}" for difference in differences(one, other)]
        elif one != other:
            found.append(f"{name} ({_short(one)}, not {_short(other)})")
    return found


def _views(views: ViewsLike) -> dict[str, Any]:
    if views.count is None:
        raise UsageError(
            "A store holds a number of views, and these are without end. "
            "Give the views a 'count', or ask the teacher live."
        )
    return {"count": views.count, "augmentations": views.identity()}


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
