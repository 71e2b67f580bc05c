"""Every data part keeps the contract of its room: found by discovery, read with whatever its signature takes."""

from __future__ import annotations

import inspect
import json
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from house_tree import parts

from limbeck.core import UsageError
from limbeck.data import Data, Raw, SplitSettings, prepare, restore_preprocessing
from limbeck.data.arrays import Arrays
from limbeck.data.csv import Csv

KINDS = {part.name: part.cls for part in parts() if part.room.base is Data}
EACH = pytest.mark.parametrize("name", KINDS)
ROWS = np.random.default_rng(0).normal(2, 3, (60, 4))


@cache
def files() -> dict[str, Path]:
    folder = Path(tempfile.mkdtemp())
    table = pd.DataFrame(ROWS, columns=list("abcd")).assign(kind=["x", "y"] * 30, label=["no", "yes", "yes"] * 20)
    table.to_csv(folder / "rows.csv", index=False)
    np.savez(folder / "rows.npz", inputs=ROWS, labels=np.arange(60) % 3)
    return {"csv": folder / "rows.csv", "npz": folder / "rows.npz"}


def offers() -> list[dict[str, Any]]:
    """Settings to try: none, a small part of what there is, a table, texts in one, arrays, two of such."""
    table, arrays = {"path": files()["csv"], "label": "label"}, {"path": files()["npz"]}
    composed = [{"parts": [Arrays(**arrays)] * 2}, {"rows": Csv(**table), "like": Csv(**table), "copies": 2}]
    return [{"limit": 60}, {}, table, {**table, "text": ["kind", "a"]}, arrays, *composed]


@cache
def made(name: str) -> tuple[Data, Raw]:
    """A part that could be read, and what it read; nothing is downloaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _no_network)
        return _made(name)


def _no_network(self: socket.socket, address: object) -> None:
    raise OSError("tests download nothing")


def _made(name: str) -> tuple[Data, Raw]:
    told = []
    for settings in offers():
        try:
            inspect.signature(KINDS[name]).bind(**settings)
            data = KINDS[name](**settings)
            return data, data.load()
        except (TypeError, UsageError) as error:
            told.append(f"{settings}: {error}")
    raise AssertionError(f"{name} could not be read:\n" + "\n".join(told))


@pytest.fixture
def data(name: str, request: pytest.FixtureRequest) -> Data:
    try:
        return made(name)[0]
    except AssertionError as error:
        if "LIMBECK_DATA" in str(error) or "download" in str(error).lower():
            request.getfixturevalue("data_root")
        raise


@EACH
def test_a_row_of_everything_for_each_sample(name: str, data: Data) -> None:
    raw = made(name)[1]
    assert raw.name and len(raw) > 0 and raw.kind in ("classification", "regression")
    for values in (raw.labels, raw.groups, raw.test):
        assert values is None or len(values) == len(raw)
    if raw.classes is not None and raw.labels is not None:
        assert len(set(raw.classes)) == len(raw.classes)
        assert set(raw.labels[~pd.isna(raw.labels)]) <= set(raw.classes)
    assert raw.test is None or raw.test.dtype == bool


@EACH
def test_the_same_again_reads_the_same(name: str, data: Data) -> None:
    first, second = made(name)[1], data.load()
    if isinstance(first.inputs, pd.DataFrame):
        pd.testing.assert_frame_equal(first.inputs, second.inputs)
    else:
        np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.labels, second.labels)


def some(raw: Raw, rows: slice) -> Any:
    return raw.inputs.iloc[rows] if isinstance(raw.inputs, pd.DataFrame) else raw.inputs[rows]


@EACH
def test_the_preprocessing_is_fitted_once_and_survives_json(name: str, data: Data) -> None:
    raw = made(name)[1]
    fitted = data.preprocessing().fit(some(raw, slice(0, 40)))
    inputs = fitted.transform(some(raw, slice(0, 50)))
    assert inputs.dtype == torch.float32 and inputs.isfinite().all() and len(inputs) == 50
    again = restore_preprocessing(json.loads(json.dumps(fitted.state())))
    assert again.transform(some(raw, slice(0, 50))).equal(inputs)
    assert torch.allclose(fitted.transform(some(raw, slice(7, 9))), inputs[7:9], atol=1e-6)  # no row sees another
    assert fitted.transform(some(raw, slice(0, 50))).equal(inputs)  # and none changes what was learnt


@EACH
def test_it_becomes_two_domains_with_sealed_labels(name: str, data: Data) -> None:
    raw = made(name)[1]
    source, target, _, task = prepare(raw, raw, data.preprocessing(), SplitSettings())
    assert source.shape == target.shape and source.role == "source" and target.role == "target"
    assert task.outputs >= 1
    for domain in (source, target):
        rows = np.concatenate(list(domain.splits.values()))
        assert len(rows) == len(set(rows.tolist()))
    assert target.view().opened == {}


@EACH
def test_a_misspelt_setting_is_refused(name: str) -> None:
    with pytest.raises(TypeError):
        KINDS[name](no_such_setting=1)
