"""The store against a bare NumPy memory map, the teacher's own forward pass, and the size of what it holds.

usage: python benchmarks/store.py [--samples 200000] [--repeats 9]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _workload import TEACHER, coloured_digits, machine, network_of
from torch import Tensor

from limbeck.core import Knowledge, Spec
from limbeck.knowledge import Keeping, Labelling, Store, label_domain
from limbeck.networks import Observed
from limbeck.teachers import Teacher

LOGITS, FEATURES, BATCH, ASKED = 10, 256, 128, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=9)
    chosen = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        _reading(Path(folder), chosen.samples, chosen.repeats)
        _writing(Path(folder), chosen.repeats)


class _Slices(Teacher):
    """Says what it is given, so that labelling is writing."""

    provides = frozenset({"logits", "features"})

    def build(self, shape: object, task: object, layers: object) -> None:
        pass

    def label(self, inputs: Tensor) -> Knowledge:
        return Knowledge(inputs[:, :LOGITS], {"features": inputs})

    def spec(self) -> Spec:
        return Spec(LOGITS, {"features": (FEATURES,)})

    def fingerprint(self) -> str:
        return "slices"


def _reading(folder: Path, samples: int, repeats: int) -> None:
    """Random batches: as many samples a second as from the plain files?"""
    inputs = torch.randn(samples, FEATURES, generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    store = label_domain(folder / "slices", _Slices(), inputs, labelling=Labelling(Keeping("fp16"), batch_size=ASKED))
    write = (time.perf_counter() - start) / samples
    maps = [np.load(store.folder / f"{name}.npy", mmap_mode="r") for name in ("logits", "features")]
    random = np.random.default_rng(0)
    places = [random.integers(0, samples, BATCH) for _ in range(500)]
    times = [(_gathered(maps, places), _read(store, places)) for _ in range(repeats + 1)]
    floor, taken = np.array(times[1:]).T / len(places) * 1e6
    payload = samples * (LOGITS + FEATURES) * 2
    held = sum(file.stat().st_size for file in store.folder.rglob("*") if file.is_file())
    print(f"\n{samples:,} samples, {LOGITS} logits and {FEATURES} features in fp16, random batches of {BATCH}\n")
    print("| | |\n|---|---|")
    print(f"| NumPy memory maps, µs a batch | {np.median(floor):.0f} |")
    print(f"| the store, µs a batch | {np.median(taken):.0f} |")
    print(f"| speed, store to NumPy | {np.median(floor / taken):.2f} |")
    print(f"| bytes, folder to payload | {held / payload:.5f} |")
    print(f"| writing, µs a sample | {write * 1e6:.1f} |", flush=True)


def _gathered(maps: list[np.ndarray], places: list[np.ndarray]) -> float:
    start = time.perf_counter()
    for rows in places:
        for array in maps:
            array[rows]
    return time.perf_counter() - start


def _read(store: Store, places: list[np.ndarray]) -> float:
    asked = [torch.from_numpy(rows) for rows in places]
    start = time.perf_counter()
    for rows in asked:
        store.read(rows)
    return time.perf_counter() - start


class _Network(_Slices):
    """The teacher of the distillation benchmark, in bf16 and channels-last, with its 384 features."""

    def __init__(self) -> None:
        self.observed = Observed(network_of(TEACHER).to(memory_format=torch.channels_last)).eval()

    @torch.no_grad()
    def label(self, inputs: Tensor) -> Knowledge:
        with torch.autocast("cpu", torch.bfloat16):
            outputs = self.observed(inputs.contiguous(memory_format=torch.channels_last))
        return Knowledge(outputs.logits.float(), {name: value.float() for name, value in outputs.features.items()})

    def spec(self) -> Spec:
        return self.observed.spec((3, 32, 32))


def _writing(folder: Path, repeats: int, samples: int = 4096) -> None:
    """Labelling with a real teacher, against its forward passes alone, in turns."""
    teacher, inputs = _Network(), coloured_digits(samples, seed=0)[0]
    times = []
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        for batch in inputs.split(ASKED):
            teacher.label(batch)
        asked = time.perf_counter()
        label_domain(folder / str(repeat), teacher, inputs, labelling=Labelling(Keeping("fp16"), batch_size=ASKED))
        times.append((asked - start, time.perf_counter() - asked))
    floor, taken = np.array(times[1:]).T
    print(f"\nLabelling {samples:,} images by a CNN of 4.6 M parameters\n\n| | |\n|---|---|")
    print(f"| its forward passes, s | {np.median(floor):.2f} |\n| labelling, s | {np.median(taken):.2f} |")
    print(f"| labelling to forward passes | {np.median(taken / floor):.3f} |")


if __name__ == "__main__":
    main()
