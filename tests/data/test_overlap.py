"""Test samples that the source trains on are told; rows that are equal because a table is coarse are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from limbeck.data import Raw, SplitSettings, prepare
from limbeck.data._vectors import VectorPreprocessing

Rows = np.ndarray
RANDOM = np.random.default_rng(0)
FINE, OTHERS, COARSE = RANDOM.normal(size=(400, 3)), RANDOM.normal(size=(400, 3)), RANDOM.integers(3, size=(800, 3))


def told(source: Rows, target: Rows) -> list[str]:
    names = np.array(["a", "b"], dtype=object)[np.arange(len(source)) % 2]
    near, far = (Raw(name, rows, names, "classification") for name, rows in (("old", source), ("new", target)))
    made = prepare(near, far, VectorPreprocessing(), SplitSettings())[1]
    return [note for note in made.notes if "test samples equal" in note]


@pytest.mark.parametrize("copies", [40, 200, 400])
def test_copies_are_counted(copies: int) -> None:
    (note,) = told(FINE, np.concatenate([FINE[:copies], OTHERS[copies:]]))
    count, of = int(note.split()[0]), int(note.split()[3])
    assert of == 120 and 0 < count <= 120
    assert abs(count - 120 * copies / 400 / 2) < 4 * np.sqrt(120)  # half of the source trains


@pytest.mark.parametrize("target", [lambda: OTHERS, lambda: FINE + 1e-3], ids=["others", "almost"])
def test_other_samples_are_none(target: Callable[[], Rows]) -> None:
    assert told(FINE, target()) == []


def test_equal_rows_of_a_coarse_table_are_usual() -> None:
    assert told(COARSE[:400].astype(float), COARSE[400:].astype(float)) == []
