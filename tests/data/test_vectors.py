"""Vectors standardised by the source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from limbeck.core import UsageError
from limbeck.data._vectors import VectorPreprocessing


def test_it_equals_scikit_learn_where_a_constant_is_only_centred() -> None:
    random = np.random.default_rng(0)
    source, target = random.normal(5, 3, (50, 4)), random.normal(5, 3, (20, 4))
    source[:, 2], target[:, 2] = 0.1, 0.35
    made = VectorPreprocessing().fit(source).transform(target).numpy()
    expected = StandardScaler().fit(source).transform(target)
    assert np.allclose(np.delete(made, 2, 1), np.delete(expected, 2, 1), atol=1e-5)
    assert np.allclose(made[:, 2], 0.25)


def test_arrays_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3))
    assert VectorPreprocessing().fit(np.eye(3)).read(tmp_path / "x.npy").tolist() == np.eye(3).tolist()
    np.save(tmp_path / "x.npy", np.zeros((2, 2, 2)))
    with pytest.raises(UsageError, match=r"Vectors are numbers \[n, d\]. Got ndarray \[2, 2, 2\]"):
        VectorPreprocessing().fit(np.eye(3)).read(tmp_path / "x.npy")
