"""The store: computed once, read by sample and view, equal to the living teacher, whatever happened on the way."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small_teacher import CLASSES, INPUTS, LAYERS, N, Noise, Told
from torch import Tensor

from limbeck.core import FEATURES, Knowledge, RunError, Spec, UsageError
from limbeck.knowledge import (
    Keeping,
    Labelling,
    Live,
    Reader,
    Store,
    _shards,
    describe_store,
    find_stores,
    label_domain,
)
from limbeck.teachers import Teacher

FORK = multiprocessing.get_context("fork")


PCA = Keeping(pca=3)
CASES = {
    "fp32": Labelling(batch_size=4),
    "top": Labelling(Keeping("fp16", mass=0.9), batch_size=4),
    "views": Labelling(Keeping("bf16"), Noise(3), batch_size=4),
    "pca": Labelling(PCA, Noise(2), batch_size=4),
    "rows": Labelling(rows=torch.arange(N - 1, 0, -2), batch_size=4),
}
BOTH = pytest.mark.parametrize("case", CASES)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shards, "SHARD_BYTES", 700)


def make(root: Path, case: str = "fp32", teacher: Teacher | None = None, **changes: object) -> Store:
    return label_domain(root, teacher or Told(), INPUTS, LAYERS, CASES[case], **changes)  # type: ignore[arg-type]


def bits(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.folder.glob("*.npy"))}


def test_any_samples_in_any_order_are_what_the_living_teacher_says(tmp_path: Path) -> None:
    """Others stored by position in the epoch, and read something else after the first shuffle."""
    teacher = Told()
    store = make(tmp_path, teacher=teacher)
    assert teacher.asked == len(store) == N
    for seed in range(3):
        index = torch.randint(N, (40,), generator=torch.Generator().manual_seed(seed))
        said, living = store.read(index), teacher.label(INPUTS[index])
        assert torch.allclose(said.scores(), living.scores(), atol=1e-5)
        for layer in LAYERS:
            assert torch.allclose(said.features[layer], living.features[layer], atol=1e-5)
    assert store.spec() == teacher.spec()


@pytest.mark.parametrize(("dtype", "step"), [("fp32", 1e-6), ("fp16", 2**-11), ("bf16", 2**-8)])
def test_every_view_is_what_the_living_teacher_says_of_it(dtype: str, step: float, tmp_path: Path) -> None:
    """Within the rounding of the kept type, half a unit in the last place."""
    views, teacher = Noise(3), Told()
    store = label_domain(tmp_path, teacher, INPUTS, LAYERS, Labelling(Keeping(dtype), views, batch_size=7))  # type: ignore[arg-type]
    readers: list[Reader] = [store, Live(teacher, INPUTS, views)]
    seen = []
    for view in range(3):
        index = torch.randperm(N, generator=torch.Generator().manual_seed(view))
        stored, living = (reader.read(index, view) for reader in readers)
        assert torch.allclose(stored.scores().float(), living.scores(), rtol=step, atol=2e-6)
        assert torch.allclose(stored.features["maps"].float(), living.features["maps"], rtol=step, atol=2e-6)
        seen.append(stored.scores()[index.argsort()])
    assert not seen[0].equal(seen[1]) and not seen[1].equal(seen[2])
    with pytest.raises(UsageError, match="There is no view 3"):
        store.read(torch.arange(2), 3)


def test_views_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'count'"):
        label_domain(tmp_path, Told(), INPUTS, LAYERS, Labelling(views=Noise(None)))


def test_a_store_of_some_samples_is_read_by_their_numbers_in_the_domain(tmp_path: Path) -> None:
    store, teacher = make(tmp_path, "rows"), Told()
    index = torch.tensor([2, 52, 30])
    assert len(store) == 26
    assert torch.allclose(store.read(index).scores(), teacher.label(INPUTS[index]).scores(), atol=1e-5)
    with pytest.raises(UsageError, match="Sample 1 is not in the store"):
        store.read(torch.tensor([2, 1]))


def test_any_tool_can_open_the_arrays(tmp_path: Path) -> None:
    store = make(tmp_path, "views")
    raw = np.load(store.folder / "logits.npy", mmap_mode="r")
    assert raw.shape == (3 * N, CLASSES) and raw.dtype == np.uint16  # the upper half of an fp32
    values = (raw.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(values[N : 2 * N], store.read(torch.arange(N), 1).scores().float().numpy())
    about = json.loads((store.folder / "manifest.json").read_text())
    assert about["arrays"]["logits"] == {"file": "logits.npy", "dtype": "bf16", "shape": [3 * N, CLASSES]}


def test_pooled_maps_are_averaged_over_space(tmp_path: Path) -> None:
    store = label_domain(tmp_path, Told(), INPUTS, LAYERS, Labelling(Keeping(pool=True)))
    said = store.read(torch.arange(N))
    assert torch.allclose(said.features["maps"], 3 * said.features[FEATURES], atol=1e-5)


@BOTH
def test_it_is_computed_once(case: str, tmp_path: Path) -> None:
    teacher, told, again = Told(), list[int](), list[int]()
    first = make(tmp_path, case, teacher, progress=told.append)
    asked = teacher.asked
    assert asked == sum(told) == len(first) * first.views
    second = make(tmp_path, case, teacher, progress=again.append)
    assert teacher.asked == asked and not again
    assert first.folder == second.folder and not list(first.folder.glob("*whole*"))


def label_slowly(root: Path, case: str, slow: float) -> None:
    torch.set_num_threads(1)
    make(root, case, Told(slow=slow))


@BOTH
def test_a_label_slowly_ends_with_the_same_bits(case: str, tmp_path: Path) -> None:
    """SIGKILL at random moments, again and again, of ever quicker children, until one comes to the end."""
    whole, draw, kills = bits(make(tmp_path / "whole", case)), random.Random(case), 0
    for attempt in range(60):
        slow = max(1 / 2**attempt, 0.002)  # the first cannot be done before it is killed
        child = FORK.Process(target=label_slowly, args=(tmp_path / "killed", case, slow))
        child.start()
        child.join(draw.uniform(0.005, 0.06))
        if child.exitcode is None:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        child.join()
        if child.exitcode == 0:
            break
    assert kills > 0
    assert bits(make(tmp_path / "killed", case)) == whole


def test_shards_that_are_whole_are_not_asked_again(tmp_path: Path) -> None:
    class Dying(Told):
        def label(self, inputs: Tensor) -> Knowledge:
            if self.asked >= 30:
                raise InterruptedError
            return super().label(inputs)

    with pytest.raises(InterruptedError):
        make(tmp_path, teacher=Dying())
    (folder,) = find_stores(tmp_path)
    stored = describe_store(folder)["labelled"]
    assert 0 < stored < 1
    with pytest.raises(UsageError, match="is not finished"):
        Store.open(folder)
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"shard": {"view": 0, "sta')  # torn by a crash
    teacher = Told()
    make(tmp_path, teacher=teacher)
    assert teacher.asked == N - round(stored * N)


@BOTH
def test_a_flipped_byte_is_found_told_and_mended(case: str, tmp_path: Path) -> None:
    store = make(tmp_path, case)
    whole = bits(store)
    for name in whole:
        path = store.folder / name
        content = bytearray(whole[name])
        content[-5] ^= 1
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"damaged: .*Run `limbeck label` again"):
            Store.open(store.folder)
        teacher = Told()
        assert bits(make(tmp_path, case, teacher)) == whole
        assert teacher.asked < len(store) * store.views or "@" in name


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_lost_array_is_made_again(damage: str, tmp_path: Path) -> None:
    store = make(tmp_path)
    whole, path = bits(store), store.folder / "logits.npy"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(whole["logits.npy"][:-7])
    with pytest.raises(RunError, match="damaged"):
        Store.open(store.folder)
    assert bits(make(tmp_path)) == whole


def test_two_writers_at_once_and_a_reader_beside(tmp_path: Path) -> None:
    whole = bits(make(tmp_path / "whole"))
    children = [FORK.Process(target=label_slowly, args=(tmp_path / "both", "fp32", 0.002)) for _ in range(2)]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        for folder in find_stores(tmp_path / "both"):
            if describe_store(folder)["complete"]:
                assert bits(Store.open(folder)) == whole
        time.sleep(0.005)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert bits(make(tmp_path / "both")) == whole


def test_a_full_disk_is_told_and_what_is_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write: Callable[..., int] = os.pwrite
    left = [2000]

    def filling(handle: int, content: bytes, offset: int) -> int:
        left[0] -= len(content)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content, offset)

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", filling)
        with pytest.raises(RunError, match="disk is full"):
            make(tmp_path)
    teacher = Told()
    store = make(tmp_path, teacher=teacher)
    assert 0 < teacher.asked < N
    assert bits(store) == bits(make(tmp_path / "whole"))


class Embedding(Told):
    """Gives features alone."""

    provides = frozenset({"features"})

    def label(self, inputs: Tensor) -> Knowledge:
        return Knowledge(None, super().label(inputs).features)


def test_a_teacher_without_logits(tmp_path: Path) -> None:
    store = label_domain(tmp_path, Embedding(), INPUTS, (FEATURES,))
    assert store.spec() == Spec(0, {FEATURES: (8,)})
    assert store.read(torch.tensor([3, 1])).logits is None
    with pytest.raises(UsageError, match="gives no logits"):
        label_domain(tmp_path, Embedding(), INPUTS, (FEATURES,), Labelling(Keeping(mass=0.5)))


def test_what_does_not_suit_is_refused(tmp_path: Path) -> None:
    for layers, labelling, words in (
        (LAYERS, Labelling(batch_size=0), "'batch_size'"),
        (LAYERS, Labelling(rows=torch.tensor([1, 1])), "'rows'"),
        (LAYERS, Labelling(rows=torch.tensor([N])), "'rows'"),
        (LAYERS, Labelling(rows=torch.tensor([], dtype=torch.int64)), "no samples"),
        (("logits",), Labelling(), "'logits'"),
    ):
        with pytest.raises(UsageError, match=words):
            label_domain(tmp_path, Told(), INPUTS, layers, labelling)
    assert not list(tmp_path.iterdir())
