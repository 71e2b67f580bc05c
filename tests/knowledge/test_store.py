"""The store: computed once, read by index, equal to the living teacher, and found again by all that it depends on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from small_world import CLASSES, WIDTH, KilledError, network
from torch import Tensor, nn

from limbeck.core import FEATURES, Knowledge, RunError, Spec, Task
from limbeck.core.weights import fingerprint
from limbeck.knowledge import Store, _store, label_domain, store_identity
from limbeck.networks import Observed
from limbeck.teachers import Teacher

INPUTS = torch.randn(23, WIDTH, generator=torch.Generator().manual_seed(0))


class Counting(Teacher):
    """A network that counts what it is asked, and dies when told to."""

    provides = frozenset({"logits", "features"})

    def __init__(self, seed: int = 0, dies_at: int | None = None):
        torch.manual_seed(seed)
        self.network: nn.Module = network(3).eval()
        self.asked, self.dies_at = 0, dies_at
        self.build((WIDTH,), CLASSES, ["2"])

    def build(self, shape: tuple[int, ...], task: Task, layers: Iterable[str]) -> None:
        self.observed = Observed(self.network, layers)

    def spec(self) -> Spec:
        return self.observed.spec((WIDTH,))

    @torch.no_grad()
    def label(self, inputs: Tensor) -> Knowledge:
        self.asked += len(inputs)
        if self.dies_at is not None and self.asked > self.dies_at:
            raise KilledError
        outputs = self.observed(inputs)
        return Knowledge(outputs.logits, outputs.features)

    def fingerprint(self) -> str:
        return fingerprint(self.network.state_dict())


LAYERS = (FEATURES, "2")


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store, "SHARD", 5)


def test_any_samples_in_any_order_are_what_the_living_teacher_says(tmp_path: Path) -> None:
    """Others stored by position in the epoch, and read something else after the first shuffle."""
    teacher = Counting()
    store = label_domain(tmp_path, teacher, INPUTS, LAYERS, batch_size=3)
    assert len(store) == 23
    for seed in range(3):
        index = torch.randint(23, (40,), generator=torch.Generator().manual_seed(seed))
        said, living = store.read(index), teacher.label(INPUTS[index])
        assert torch.allclose(said.scores(), living.scores(), atol=1e-6)
        for layer in LAYERS:
            assert torch.allclose(said.feature(layer), living.feature(layer), atol=1e-6)
            assert not said.feature(layer).requires_grad
    assert store.spec() == Spec(3, {FEATURES: (6,), "2": (8,)}) == teacher.spec()


def test_it_is_computed_once(tmp_path: Path) -> None:
    teacher, told = Counting(), list[int]()
    first = label_domain(tmp_path, teacher, INPUTS, LAYERS, progress=told.append)
    assert teacher.asked == sum(told) == 23
    second = label_domain(tmp_path, teacher, INPUTS, LAYERS)
    assert teacher.asked == 23
    assert first.folder == second.folder
    assert all(first.arrays[name].equal(second.arrays[name]) for name in ("logits", *LAYERS))


def test_another_teacher_input_or_layer_is_another_store(tmp_path: Path) -> None:
    nudged = Counting()
    with torch.no_grad():
        nudged.network[0].weight[0, 0] += 1e-7
    drifted = Counting()
    drifted.network[1].running_mean[0] += 1e-7
    cases: list[tuple[Teacher, Tensor, tuple[str, ...]]] = [
        (Counting(), INPUTS, LAYERS),
        (nudged, INPUTS, LAYERS),
        (drifted, INPUTS, LAYERS),
        (Counting(), INPUTS + torch.eye(23, WIDTH) * 1e-6, LAYERS),
        (Counting(), INPUTS.flip(0), LAYERS),
        (Counting(), INPUTS, (FEATURES,)),
    ]
    identities = [json.dumps(store_identity(*case)) for case in cases]
    assert len(set(identities)) == len(cases)
    assert identities[0] == json.dumps(store_identity(Counting(), INPUTS.clone(), tuple(reversed(LAYERS))))
    assert len({label_domain(tmp_path, *case).folder for case in cases}) == len(cases)


@pytest.mark.parametrize("dies_at", [0, 4, 5, 11, 22])
def test_a_killed_labelling_goes_on_from_the_last_whole_shard(dies_at: int, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        label_domain(tmp_path, Counting(dies_at=dies_at), INPUTS, LAYERS, batch_size=1)
    teacher, told = Counting(), list[int]()
    store = label_domain(tmp_path, teacher, INPUTS, LAYERS, progress=told.append)
    assert teacher.asked == 23 - dies_at // 5 * 5
    assert sum(told) == 23  # the progress bar comes to its end all the same
    assert torch.allclose(store.arrays["logits"], Counting().label(INPUTS).scores(), atol=1e-6)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "short"])
def test_a_damaged_shard_is_named_with_the_mend(damage: str, tmp_path: Path) -> None:
    folder = label_domain(tmp_path, Counting(), INPUTS, LAYERS).folder
    shard = folder / "logits-00002.npy"
    if damage == "missing":
        shard.unlink()
    else:
        shorter = (folder / "logits-00004.npy").read_bytes()
        contents = {"empty": b"", "cut": shard.read_bytes()[:-7], "text": b"no array", "short": shorter}
        shard.write_bytes(contents[damage])
    with pytest.raises(RunError, match=r"logits-00002\.npy .*Remove .*run again"):
        label_domain(tmp_path, Counting(), INPUTS, LAYERS)


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    folder = label_domain(tmp_path, Counting(), INPUTS, LAYERS).folder
    (folder / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        Store.open(folder)


def test_a_full_disk_is_told_and_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(RunError, match="disk is full"):
            label_domain(tmp_path, Counting(), INPUTS, LAYERS)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(label_domain(tmp_path, Counting(), INPUTS, LAYERS)) == 23


class Embedding(Counting):
    """Gives features alone."""

    provides = frozenset({"features"})

    def label(self, inputs: Tensor) -> Knowledge:
        return Knowledge(None, super().label(inputs).features)


def test_a_teacher_without_logits(tmp_path: Path) -> None:
    store = label_domain(tmp_path, Embedding(), INPUTS, (FEATURES,))
    assert store.spec() == Spec(0, {FEATURES: (6,)})
    said = store.read(torch.tensor([3, 1]))
    assert said.logits is None and said.feature().shape == (2, 6)
