"""Who trains, who selects, who tests: drawn once from a seed of its own, by class and by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from limbeck.core import UsageError, bad_value, generator

__all__ = ["SplitSettings", "apportion", "draw_labelled", "draw_splits", "quantile_bins", "stratified_choice"]

BINS = 10
"""Values to regress are stratified by that many quantile bins."""


@dataclass(frozen=True)
class SplitSettings:
    """How the rows of both domains are divided.

    seed: of the division alone, apart from the seeds of training. selection, test: shares of all
    rows; where a domain brings its official test split, `test` is not used and `selection` is a
    share of the other rows. labelled: target rows whose labels training may see, taken from what
    would be its train split: so many per class, or, for regression, so many in all, spread over
    the range of the values.

    >>> SplitSettings(test=0.9).test
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'test' of split must be below 1 together with 'selection' (0.2). Got 0.9.
    """

    seed: int = 0
    selection: Annotated[float, Gt(0), Lt(1)] = 0.2
    test: Annotated[float, Gt(0), Lt(1)] = 0.3
    labelled: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        for name in ("selection", "test"):
            if not 0 < getattr(self, name) < 1:
                raise bad_value(name, "split", "above 0 and below 1", getattr(self, name))
        if self.selection + self.test >= 1:
            raise bad_value("test", "split", f"below 1 together with 'selection' ({self.selection:g})", self.test)
        if self.labelled < 0:
            raise bad_value("labelled", "split", "≥ 0", self.labelled)


def apportion(counts: np.ndarray, total: int, most: np.ndarray | None = None) -> np.ndarray:
    """`total` seats over strata in proportion to `counts`, by largest remainders, at most `most` each.

    Remainders that tie go to the first strata. Where the limits leave fewer than `total` seats,
    all of those are given.

    >>> apportion(np.array([50, 30, 20]), 7).tolist()
    [4, 2, 1]
    >>> apportion(np.array([98, 1, 1]), 30, np.array([97, 0, 0])).tolist()
    [30, 0, 0]
    """
    most = counts if most is None else most
    exact = counts * (total / max(1, counts.sum()))
    seats = np.minimum(np.floor(exact).astype(np.int64), most)
    order = np.argsort(seats - exact, kind="stable")
    left = min(total, int(most.sum())) - int(seats.sum())
    while left > 0:
        for stratum in order:
            if left and seats[stratum] < most[stratum]:
                seats[stratum] += 1
                left -= 1
    return seats


def stratified_choice(strata: np.ndarray, total: int, random: np.random.Generator) -> np.ndarray:
    """A mask [n] of `total` rows drawn so that every stratum keeps its share.

    >>> chosen = stratified_choice(np.array([0] * 8 + [1] * 4), 6, generator(0, "doc"))
    >>> int(chosen[:8].sum()), int(chosen[8:].sum())
    (4, 2)
    """
    numbers, counts = np.unique(strata, return_counts=True)
    chosen = np.zeros(len(strata), dtype=bool)
    for number, seats in zip(numbers, apportion(counts, total), strict=True):
        chosen[random.permutation(np.flatnonzero(strata == number))[:seats]] = True
    return chosen


def draw_splits(
    strata: np.ndarray,
    settings: SplitSettings,
    role: str,
    groups: np.ndarray | None = None,
    test: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The rows of train, selection and test, ascending.

    strata: [n] class or bin numbers, -1 for a row without a label: such rows only train, and are
    left out where their group or the official `test` mask belongs to another split. Every stratum
    leaves a row to train. groups: [n], no group straddles two splits; the strata are kept as well
    as its groups allow. `UsageError` where a split would be empty.
    """
    random = generator(settings.seed, "split", role)
    known = strata >= 0
    place = np.full(len(strata), TRAIN)
    place[~known] = UNUSED
    shares = {SELECTION: settings.selection, TEST: settings.test}
    rows = known
    if test is not None:
        place[known & test] = TEST
        shares, rows = {SELECTION: settings.selection}, known & ~test
    free = np.flatnonzero(rows)
    if groups is None:
        place[free] = _by_row(strata[free], shares, random)
        place[~known & (test is None or ~test)] = TRAIN
    else:
        _, groups = np.unique(groups, return_inverse=True)
        if test is not None and np.intersect1d(groups[test], groups[~test]).size:
            raise UsageError(f"In the {role}, a group lies in the official test split and outside of it.")
        place[free] = _by_group(strata[free], groups[free], shares, random)
        taken = np.isin(groups, groups[(place == SELECTION) | (place == TEST)])
        place[~known & ~taken & (test is None or ~test)] = TRAIN
    splits = {name: np.flatnonzero(place == number) for number, name in NAMES.items()}
    _check_filled(splits, role, groups is not None)
    return splits


TRAIN, SELECTION, TEST, UNUSED = 0, 1, 2, -1
NAMES = {TRAIN: "train", SELECTION: "selection", TEST: "test"}


def _check_filled(splits: dict[str, np.ndarray], role: str, grouped: bool) -> None:
    empty = [name for name, rows in splits.items() if not len(rows)]
    if empty:
        sizes = ", ".join(f"{name} {len(rows)}" for name, rows in splits.items())
        unit = "more groups" if grouped else "more rows, or more rows of each class"
        raise UsageError(
            f"The {role}'s {' and '.join(empty)} would be empty ({sizes}). It needs {unit}, or other shares in 'split'."
        )


def _by_row(strata: np.ndarray, shares: dict[int, float], random: np.random.Generator) -> np.ndarray:
    numbers, counts = np.unique(strata, return_counts=True)
    free = counts - 1
    seats = {}
    for split, share in shares.items():
        seats[split] = apportion(counts, round(share * len(strata)), free)
        free = free - seats[split]
    place = np.full(len(strata), TRAIN)
    for position, number in enumerate(numbers):
        rows = random.permutation(np.flatnonzero(strata == number))
        for split in shares:
            taken, rows = np.split(rows, [seats[split][position]])
            place[taken] = split
    return place


def _by_group(
    strata: np.ndarray, groups: np.ndarray, shares: dict[int, float], random: np.random.Generator
) -> np.ndarray:
    """Whole groups, largest first, each to the split that lacks its strata most."""
    _, groups = np.unique(groups, return_inverse=True)
    _, strata = np.unique(strata, return_inverse=True)
    if not len(groups):
        return np.empty(0, dtype=np.int64)
    table = np.zeros((groups.max() + 1, strata.max() + 1))
    np.add.at(table, (groups, strata), 1)
    order = random.permutation(len(table))
    order = order[np.argsort(-table[order].sum(axis=1), kind="stable")]
    splits = [TRAIN, *shares]
    lacking = np.outer([1 - sum(shares.values()), *shares.values()], table.sum(axis=0))
    weight = 1 / table.sum(axis=0)
    chosen = np.zeros(len(table), dtype=np.int64)
    filled = np.zeros(len(splits), dtype=bool)
    for position, group in enumerate(order):
        need = lacking @ (table[group] * weight)
        if len(order) - position <= np.count_nonzero(~filled):  # the last groups go where there are none yet
            need[filled] = -np.inf
        split = int(need.argmax())
        filled[split] = True
        lacking[split] -= table[group]
        chosen[group] = splits[split]
    return chosen[groups]


def draw_labelled(
    train: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], settings: SplitSettings
) -> np.ndarray:
    """The labelled rows among `train`: k of each class that the target has, or k over the range of the values.

    labels: of all rows, int64 with -1 or floats with NaN for a missing one. `UsageError` where
    there are not k to draw from, or where nothing would be left to train unlabelled.
    """
    count = settings.labelled
    random = generator(settings.seed, "labelled")
    if not count:
        return np.empty(0, dtype=np.int64)
    drawn = []
    if classes:
        for number, name in enumerate(classes):
            candidates = train[labels[train] == number]
            if len(candidates) < count and (labels == number).any():
                raise _too_few(count, f"the target's train part has {len(candidates)} rows of class {name!r}")
            drawn.append(random.permutation(candidates)[:count])
    else:
        candidates = train[np.isfinite(labels[train])]
        if len(candidates) < count:
            raise _too_few(count, f"the target's train part has {len(candidates)} rows with a value")
        ordered = candidates[np.argsort(labels[candidates], kind="stable")]
        drawn = [random.permutation(part)[:1] for part in np.array_split(ordered, count)]
    rows = np.sort(np.concatenate(drawn))
    if len(rows) == len(train):
        raise _too_few(count, "no row would be left to train unlabelled")
    return rows


def _too_few(count: int, reason: str) -> UsageError:
    return bad_value("labelled", "split", f"smaller, since {reason}", count, "Or give the target more rows.")


def quantile_bins(values: np.ndarray) -> np.ndarray:
    """Bin numbers [n] by rank, at most 10 bins of equal size; -1 where a value is NaN.

    >>> quantile_bins(np.array([5.0, np.nan, 1.0, 9.0])).tolist()
    [0, -1, 0, 0]
    """
    bins = np.full(len(values), -1)
    known = np.flatnonzero(np.isfinite(values))
    count = max(1, min(BINS, len(known) // BINS))
    bins[known[np.argsort(values[known], kind="stable")]] = np.arange(len(known)) * count // max(1, len(known))
    return bins
