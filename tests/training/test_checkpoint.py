"""Stopped anywhere, by anything, a training goes on to the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from house_tree import ROOT
from small_world import KilledError, World, settings

from limbeck.augmentations import Views
from limbeck.augmentations.mask import Mask
from limbeck.augmentations.noise import Noise
from limbeck.core import RunError
from limbeck.methods.distill import Distill
from limbeck.objectives import Schedule, Term
from limbeck.objectives.adversarial import Adversarial
from limbeck.objectives.cross_entropy import CrossEntropy
from limbeck.objectives.kl import Kl
from limbeck.trackers.jsonl import Jsonl
from limbeck.training import Job, train
from limbeck.training._checkpoint import Progress, load_checkpoint, save_checkpoint

WORLD = World()
KEPT = ("weights.safetensors", "history.npz")


def method() -> Distill:
    """Dropout in the student, a schedule of a weight and of a temperature, a balance, a discriminator."""
    temperature = Schedule(start=8.0, end=2.0)
    return Distill(
        [
            CrossEntropy(),
            Term(Kl(temperature), "auto"),
            Term(Kl(), Schedule(start=0.0, end=1.0), "labelled"),
            Adversarial(),
        ]
    )


def files(folder: Path) -> list[object]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [[line | {"seconds": 0, "data_wait": 0} for line in lines], *((folder / name).read_bytes() for name in KEPT)]


def job_in(folder: Path, **changes) -> Job:
    """On augmented views of the source."""
    job = WORLD.job(folder, method, settings(epochs=4, clip=1.0, patience=3, **changes))
    return replace(job, views={"source": Views([Noise(0.5), Mask()], 0, None)})


def run(folder: Path, kill: int | None = None, **changes) -> None:
    """Train, or go on; killed after the step of that number."""
    job = job_in(folder, **changes)
    taken = [0]

    def tick(share: float) -> None:
        taken[0] += 1
        if taken[0] == kill:
            raise KilledError

    train(job, [Jsonl()], tick)


@pytest.mark.parametrize("every", [1e-9, 1e-2], ids=["each step", "now and then"])
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_steps_it_ends_in_the_same_bits(
    seed: int, every: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    run(tmp_path / "whole")
    draw = torch.Generator().manual_seed(seed)
    for _ in range(200):
        try:
            kill = int(torch.randint(1, 9, (), generator=draw))
            run(tmp_path / "broken", kill, checkpoint_seconds=every)
            break
        except KilledError:
            every /= 2  # in the end every step is kept, so that it comes to an end
    assert files(tmp_path / "whole") == files(tmp_path / "broken")
    assert not list((tmp_path / "broken").glob("*checkpoint*"))


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {house!r})
sys.path.insert(0, {here!r})
from limbeck.trackers.jsonl import Jsonl
from limbeck.training import train
from test_checkpoint import job_in
train(job_in(Path({folder!r}), checkpoint_seconds=1e-9), [Jsonl()], lambda share: time.sleep(0.2))
"""


def test_a_process_killed_in_earnest_goes_on(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    folder = tmp_path / "broken"
    code = SCRIPT.format(house=str(ROOT / "tests" / "house"), here=str(Path(__file__).parent), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoint.pt").exists() and time.monotonic() < deadline:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    stopped = load_checkpoint(folder / "checkpoint.pt")
    assert stopped is not None and 0 < stopped[0].step < 20
    (folder / ".checkpoint.pt.half.pt").touch()  # what it may have been writing
    run(folder)
    assert files(tmp_path / "whole") == files(folder)
    assert not list(folder.glob("*checkpoint*"))


def test_a_full_disk_stops_it_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "whole")
    real, left = os.fsync, [9]

    def fsync(handle: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(RunError, match="disk is full"):
        run(tmp_path / "broken", checkpoint_seconds=1e-9)
    assert {path.name for path in (tmp_path / "broken").iterdir()} == {"log.jsonl", "checkpoint.pt"}
    run(tmp_path / "broken", checkpoint_seconds=1e-9)
    assert files(tmp_path / "whole") == files(tmp_path / "broken")


def test_a_damaged_checkpoint_is_named_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    for content in (b"", b"not a checkpoint", None):
        if content is None:
            save_checkpoint(path, Progress(), {}, {})
            content = path.read_bytes()[:-100]
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"checkpoint\.pt cannot be read.*Remove it") as caught:
            load_checkpoint(path)
        assert "weights_only" not in str(caught.value)  # nobody is told to trust the file


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harmed",)


def test_nothing_untrusted_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"progress": _Harmful()}, tmp_path / "checkpoint.pt")
    with pytest.raises(RunError, match="cannot be read"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "harmed").exists()


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    progress = Progress(step=3, seconds=1.5, epochs=[1], scores={"fit": [0.2]}, logits=[torch.randn(4, 2)], chosen=0)
    progress = replace(progress, best={"w": torch.ones(2)}, sums={"loss": torch.tensor(0.3)}, counted=2)
    save_checkpoint(tmp_path / "c.pt", progress, {"m": torch.zeros(1)}, {"student": {"state": {}}})
    found = load_checkpoint(tmp_path / "c.pt")
    assert found is not None
    torch.testing.assert_close(vars(found[0]), vars(progress), rtol=0, atol=0)
    assert found[1]["m"].equal(torch.zeros(1)) and found[2] == {"student": {"state": {}}}
    assert load_checkpoint(tmp_path / "absent.pt") is None
