"""The classes of two domains: their order, and whether they are the same."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np

from limbeck.core import UsageError
from limbeck.core.tables import pd
from limbeck.data._data import Inputs, Raw
from limbeck.data._mapped import Mapped

__all__ = ["agree_on_classes", "class_numbers", "natural_order", "take", "take_rows"]


def natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names in the order that a reader expects: numbers by value, digits inside names as well.

    >>> natural_order(["10", "9", "-1.5"]), natural_order(["ward 10", "ward 9"])
    (('-1.5', '9', '10'), ('ward 9', 'ward 10'))
    """
    names = sorted(names)
    try:
        values = [float(name) for name in names]
        if all(map(math.isfinite, values)):
            return tuple(name for _, name in sorted(zip(values, names, strict=True)))
    except ValueError:
        pass  # not all are numbers: they are ordered as text below
    return tuple(sorted(names, key=_text_key))


def _text_key(name: str) -> list[tuple[int, int, str]]:
    pieces = re.split(r"([0-9]+)", name)
    return [(0, int(piece), "") if piece.isascii() and piece.isdigit() else (1, 0, piece) for piece in pieces]


def take(inputs: Inputs, rows: np.ndarray) -> Inputs:
    """Some rows (a mask or numbers) of an array or a table; of what lies in a file none is read."""
    if isinstance(inputs, Mapped):
        return inputs.take(rows)
    return inputs[rows] if isinstance(inputs, np.ndarray) else inputs.iloc[rows]


def take_rows(raw: Raw, rows: np.ndarray, note: str = "") -> Raw:
    """Some rows of a domain, with a note on the others."""
    if rows.all():
        return raw
    return replace(
        raw,
        inputs=take(raw.inputs, rows),
        labels=None if raw.labels is None else raw.labels[rows],
        groups=None if raw.groups is None else raw.groups[rows],
        test=None if raw.test is None else raw.test[rows],
        notes=(*raw.notes, note),
        origins=None if raw.origins is None else raw.origins[rows],
    )


def class_numbers(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """int64 [n]: the place of each label in `classes`, -1 for a missing one."""
    return pd.Index(classes, dtype=object).get_indexer(pd.Index(labels, dtype=object)).astype(np.int64)


def agree_on_classes(
    source: Raw, target: Raw, rule: Literal["same", "shared", "source"]
) -> tuple[Raw, Raw, tuple[str, ...]]:
    """Both domains with the rows that count, and the classes in their order, which is the source's.

    Both must have the same classes. `shared` drops rows of classes that only one of them has (of an open-set target,
    those that the source does not know); `source` allows the target to lack some (partial transfer).
    `UsageError` names the classes that differ, and says so where none is shared.
    """
    found = _found(source)
    order = [name for name in source.classes or natural_order(found) if name in found]
    if target.labels is not None:
        theirs = _found(target)
        named = theirs | set(target.classes or ())
        only_source, only_target = [name for name in order if name not in named], natural_order(theirs - set(order))
        if theirs.isdisjoint(order):
            raise _disjoint(source, target, order, only_target)
        if rule == "shared":
            source = _without(source, only_source, target.name)
            target = _without(target, only_target, source.name)
            order = [name for name in order if name in named]
            if len(order) == 1 and only_source:
                raise UsageError(
                    f"{source.name} and {target.name} share one class only, {order[0]!r}: there is nothing to tell "
                    "apart. `classes: source` keeps the classes that the source alone has."
                )
        elif only_target or (only_source and rule == "same"):
            raise _differ(source, target, only_source, only_target)
        elif only_source:
            target = _noted(
                target, f"Partial transfer: no row is of {', '.join(only_source)}, which the student may still answer."
            )
        if len(theirs) == 1 < len(order):
            target = _noted(target, f"Every label is {next(iter(theirs))}: nothing is measured of the other classes.")
    _check_count(source, order)
    return source, target, tuple(order)


def _found(raw: Raw) -> set[str]:
    assert raw.labels is not None
    return set(raw.labels[~pd.isna(raw.labels)].tolist())


def _without(raw: Raw, names: Iterable[str], other: str) -> Raw:
    names = list(names)
    assert raw.labels is not None
    rows = ~np.isin(raw.labels.astype(str), names) if names else np.ones(len(raw), dtype=bool)
    dropped = int(len(raw) - rows.sum())
    return take_rows(raw, rows, f"{dropped} rows are not used: {other} has no class {', '.join(names)}.")


def _noted(raw: Raw, note: str) -> Raw:
    return replace(raw, notes=(*raw.notes, note))


def _disjoint(source: Raw, target: Raw, ours: Iterable[str], theirs: Iterable[str]) -> UsageError:
    return UsageError(
        f"The domains share no class: {source.name} has {_few(list(ours))}, {target.name} has {_few(list(theirs))}. "
        "Where the same classes have other names, `mapping` renames label values; where they are other classes, "
        "nothing of the source's answers can be measured on the target."
    )


def _differ(source: Raw, target: Raw, only_source: Iterable[str], only_target: Iterable[str]) -> UsageError:
    sides = ((source.name, list(only_source)), (target.name, list(only_target)))
    faults = [f"only {name} has {_few(names)}" for name, names in sides if names]
    mends = ["`classes: shared` drops the rows of classes that one domain lacks"]
    if not only_target:
        mends.append("`classes: source` lets the target lack some")
    mends.append("`mapping` renames label values")
    kinds = [kind for kind, names in (("partial", only_source), ("open-set", only_target)) if names]
    case = f"{' and '.join(kinds)} transfer"
    return UsageError(f"The domains have other classes, {case}: {'; '.join(faults)}. What helps: {'; '.join(mends)}.")


def _few(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:10]))
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _check_count(source: Raw, classes: list[str]) -> None:
    if len(classes) < 2:
        have = f"one class only, {classes[0]!r}" if classes else "no class"
        raise UsageError(f"The label column of {source.name} has {have}: there is nothing to tell apart.")
    if len(classes) > max(20, len(source) // 2):
        raise UsageError(
            f"The labels of {source.name} have {len(classes)} classes in {len(source)} rows: they number or name the "
            "rows. Choose another 'label', or `task: regression`."
        )
