"""Data that lie in a file: ten times the samples take no more memory, and change no bit of the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limbeck
from limbeck.core.files import read_json
from limbeck.core.weights import read_weights
from limbeck.recipes import run_recipe

CHILD = """
import json, sys, threading
from pathlib import Path
from limbeck.recipes import run_recipe

peak, done = 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.002):
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = max(peak, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")))

watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
folder, recipe = Path(sys.argv[1]), json.loads(sys.argv[2])
run_recipe(recipe, runs=folder, stages=sys.argv[3].split(","), quiet=True)
done.set()
watcher.join()
print(peak)
"""
"""Prints the most kB of anonymous memory that the process had: files that are mapped do not count."""

WIDTH = 250
STAGES = "teacher,gap,knowledge,student,evaluation,report"


def written(folder: Path, rows: int) -> Path:
    """`rows` vectors of 1,000 bytes in a folder, with two classes."""
    folder.mkdir()
    random, labels = np.random.default_rng(0), np.arange(rows) % 2
    inputs = np.lib.format.open_memmap(folder / "inputs.npy", "w+", np.float32, (rows, WIDTH))
    for start in range(0, rows, 1000):
        part = inputs[start : start + 1000]
        part[:] = random.random(part.shape, dtype=np.float32)
        part[:, 0] += labels[start : start + 1000]
    np.save(folder / "labels.npy", labels)
    return folder


def recipe_of(folder: Path, held: str, network: dict[str, Any]) -> dict[str, Any]:
    """A recipe in which nothing is left to measurement."""
    data = {"arrays": {"path": str(folder), "held": held}}
    training = {"epochs": 1, "batch_size": 256, "precision": "fp32", "layout": "contiguous", "device": "cpu"}
    return {
        "name": held,
        "source": data,
        "target": data,
        "teacher": {"network": {"network": network}},
        "knowledge": {"read": "store"},
        "student": network,
        "rows": {"distilled": {"distill": {"objectives": ["kl"]}}},
        "training": {**training, "compile": False},
        "gap": {
            "distances": ["coral"],
            "settings": {"samples": 50, "permutations": 20, "repeats": 20, "resamples": 20},
        },
        "seeds": 1,
    }


def peak(folder: Path, held: str, stages: str = STAGES) -> int:
    """kB of anonymous memory that a run over a folder takes at most."""
    recipe = recipe_of(folder, held, {"mlp": {"hidden": [4]}})
    environment = {**os.environ, "PYTHONPATH": str(Path(limbeck.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, str(folder / "runs"), json.dumps(recipe), stages]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def pictures(folder: Path) -> Path:
    """Colour images of two classes as bytes, in an order of axes that is not the network's."""
    folder.mkdir()
    random, labels = np.random.default_rng(0), np.arange(120) % 2
    images = random.integers(0, 200, (120, 8, 8, 3)) + 50 * labels[:, None, None, None]
    np.save(folder / "inputs.npy", images.astype(np.uint8))
    np.save(folder / "labels.npy", np.array(["no", "yes"])[labels])
    return folder


def test_all_results_are_those_of_the_same_data_in_memory(tmp_path: Path) -> None:
    path, folders = pictures(tmp_path / "lab"), []
    for held in ("memory", "file"):
        recipe = recipe_of(path, held, {"cnn": {"widths": [4], "hidden": 8}})
        recipe["training"] |= {"epochs": 2, "batch_size": 16, "layout": "channels_last"}
        recipe["knowledge"]["views"] = 2
        recipe["rows"]["augmented"] = {"distill": {"objectives": ["cross_entropy", "kl"]}, "augmentation": ["flip"]}
        folders += run_recipe(recipe, runs=tmp_path / "runs", quiet=True)
    here, there = folders
    for name in ("gap.json", "preprocessing.json", "domains.json"):
        assert read_json(there / name) == read_json(here / name)
    weights = sorted(path.relative_to(here) for path in here.rglob("weights.safetensors"))
    assert len(weights) == 3
    for file in weights:
        ours, theirs = read_weights(here / file)[0], read_weights(there / file)[0]
        assert ours.keys() == theirs.keys() and all(value.equal(theirs[name]) for name, value in ours.items())
        if file.parts[0] == "students":
            kept = [np.load((folder / file).with_name("predictions.npz")) for folder in folders]
            for name in ("source_logits", "target_logits", "source_features", "target_features"):
                assert (kept[0][name] == kept[1][name]).all()


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory is read from /proc")


@needs_proc
@pytest.mark.slow
def test_reading_and_preparing_a_file_takes_none_of_its_size(tmp_path: Path) -> None:
    rows = 30_000
    folder = written(tmp_path / "large", rows)
    apart = peak(folder, "memory", "gap") - peak(folder, "file", "gap")
    assert apart > 2 * rows * WIDTH * 4 / 1024  # at least what both domains take when they are prepared


@needs_proc
@pytest.mark.slow
def test_ten_times_the_samples_take_no_more_memory(tmp_path: Path) -> None:
    """The smaller one is large enough for every cap on what is looked at at once, such as on selection samples."""
    rows = 10_000
    small, large = written(tmp_path / "small", rows), written(tmp_path / "large", 10 * rows)
    streamed = peak(large, "file")
    assert streamed <= 1.1 * peak(small, "file")
    assert peak(large, "memory") > streamed + 2 * 10 * rows * WIDTH * 4 / 1024  # or this test would see nothing
