"""Stores are told apart by all that they depend on, described, and pruned without a file of others."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
import torch
from small_teacher import INPUTS, LAYERS, N, Noise, Told
from torch import Tensor

from limbeck.core import FEATURES, Knowledge, RunError, UsageError
from limbeck.knowledge import (
    Keeping,
    Labelling,
    Store,
    describe_store,
    differences,
    find_stores,
    label_domain,
    prune_store,
    store_identity,
)
from limbeck.teachers import Teacher

FORK = multiprocessing.get_context("fork")


PCA = Keeping(pca=3)

IDENTITIES: dict[str, tuple[Teacher, Tensor, tuple[str, ...], Labelling]] = {
    "teacher": (Told(1), INPUTS, LAYERS, Labelling()),
    "inputs": (Told(), INPUTS.flip(0), LAYERS, Labelling()),
    "layers": (Told(), INPUTS, (FEATURES,), Labelling()),
    "rows": (Told(), INPUTS, LAYERS, Labelling(rows=torch.arange(5))),
    "views.count": (Told(), INPUTS, LAYERS, Labelling(views=Noise(2))),
    "views.augmentations": (Told(), INPUTS, LAYERS, Labelling(views=Noise(1))),
    "keeping.dtype": (Told(), INPUTS, LAYERS, Labelling(Keeping("fp16"))),
    "keeping.mass": (Told(), INPUTS, LAYERS, Labelling(Keeping(mass=0.5))),
    "keeping.pool": (Told(), INPUTS, LAYERS, Labelling(Keeping(pool=True))),
    "keeping.pca": (Told(), INPUTS, LAYERS, Labelling(PCA)),
    "extras.precision": (Told(), INPUTS, LAYERS, Labelling(extras={"precision": "bf16"})),
}


@pytest.mark.parametrize("field", IDENTITIES)
def test_a_store_that_does_not_match_is_refused_by_the_field(field: str, tmp_path: Path) -> None:
    store = label_domain(tmp_path, Told(), INPUTS, LAYERS)
    wanted = store_identity(*IDENTITIES[field])
    assert field in " ".join(differences(store.about["identity"], wanted))
    with pytest.raises(UsageError, match=rf"differs in .*{field} \(.*limbeck label"):
        Store.open(store.folder, wanted)
    assert label_domain(tmp_path, *IDENTITIES[field]).folder != store.folder
    assert len(find_stores(tmp_path)) == 2


def test_equal_identities_do_not_differ(tmp_path: Path) -> None:
    ours = store_identity(Told(), INPUTS, LAYERS)
    assert differences(ours, store_identity(Told(), INPUTS.clone(), tuple(reversed(LAYERS)))) == []
    assert Store.open(label_domain(tmp_path, Told(), INPUTS, LAYERS).folder, json.loads(json.dumps(ours)))


def test_a_store_is_described_and_pruned_and_files_of_others_stay(tmp_path: Path) -> None:
    store = label_domain(tmp_path, Told(), INPUTS, LAYERS, Labelling(PCA, Noise(2)))
    about = describe_store(store.folder)
    assert about["complete"] and about["views"] == 2 and about["arrays"][FEATURES] == ["fp32", 2 * N, 3]
    assert about["bytes"] >= sum(path.stat().st_size for path in store.folder.glob("*.npy"))
    (store.folder / "mine.txt").write_text("mine")
    assert prune_store(store.folder) == about["bytes"]
    assert [path.name for path in store.folder.iterdir()] == ["mine.txt"]
    with pytest.raises(UsageError, match="is not a store"):
        prune_store(store.folder)
    with pytest.raises(UsageError, match="is not a store"):
        describe_store(tmp_path)


def test_a_store_being_written_is_not_pruned(tmp_path: Path) -> None:
    class Pruning(Told):
        def label(self, inputs: Tensor) -> Knowledge:
            for folder in find_stores(tmp_path):
                with pytest.raises(UsageError, match="being written"):
                    prune_store(folder)
                self.refused = True
            return super().label(inputs)

    teacher = Pruning()
    label_domain(tmp_path, teacher, INPUTS, LAYERS, Labelling(batch_size=4))
    assert teacher.refused


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    folder = label_domain(tmp_path, Told(), INPUTS, LAYERS).folder
    (folder / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        Store.open(folder)
