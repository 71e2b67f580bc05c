"""Time per epoch of a distillation from the store against the number of samples: a straight line.

usage: python benchmarks/scaling.py [--sizes 2000 8000 32000 128000] [--epochs 3]      writes scaling.svg

Images of 16×16, a CNN that learns from the stored answers of another; the least time of an epoch after the first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _workload import machine
from matplotlib.figure import Figure

from limbeck.core.weights import save_weights
from limbeck.networks.cnn import Cnn
from limbeck.recipes import run_recipe

SHAPE, CLASSES, BATCH = (1, 16, 16), 10, 128
TEACHER = {"cnn": {"widths": [16, 32], "hidden": 64}}
STUDENT = {"cnn": {"widths": [8, 16], "hidden": 32}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 8_000, 32_000, 128_000])
    parser.add_argument("--epochs", type=int, default=3)
    chosen = parser.parse_args()
    print(f"{machine()}\n\n| samples | seconds per epoch | µs per sample |\n|---|---|---|")
    taken = []
    for size in chosen.sizes:
        taken.append(seconds_per_epoch(size, chosen.epochs))
        print(f"| {size:,} | {taken[-1]:.2f} | {taken[-1] / size * 1e6:.0f} |", flush=True)
    slope, offset = np.polyfit(np.log(chosen.sizes), np.log(taken), 1)
    print(f"\nseconds ∝ samples^{slope:.3f}")
    draw(chosen.sizes, taken, float(slope), float(offset))


def seconds_per_epoch(size: int, epochs: int) -> float:
    """The least of the epochs after the first, from the run's log."""
    with tempfile.TemporaryDirectory() as folder:
        (run,) = run_recipe(recipe(Path(folder), size, epochs), runs=Path(folder), stages=["student"], quiet=True)
        lines = (run / "students" / "distilled" / "0" / "log.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in lines]
    return float(np.diff(seconds).min())


def recipe(folder: Path, size: int, epochs: int) -> dict[str, Any]:
    """Noise to learn from, `size` training samples of it; nothing is left to measurement."""
    random, split = np.random.default_rng(0), {"selection": 0.05, "test": 0.05}
    for name, rows in (("source", 1000), ("target", round(size / 0.9))):
        inputs = random.random((rows, *SHAPE), dtype=np.float32)
        np.savez(folder / f"{name}.npz", inputs=inputs, labels=random.integers(0, CLASSES, rows))
    network = Cnn(**TEACHER["cnn"])
    network.build(SHAPE, CLASSES)
    save_weights(folder / "teacher.safetensors", network.state_dict(), {})
    fixed = {"precision": "fp32", "layout": "channels_last", "compile": False, "device": "cpu"}
    return {
        "name": "scaling",
        "source": {"arrays": {"path": str(folder / "source.npz"), "scale": "none"}},
        "target": {"arrays": {"path": str(folder / "target.npz"), "scale": "none"}},
        "split": split,
        "teacher": {"network": {"network": TEACHER, "weights": str(folder / "teacher.safetensors")}},
        "student": STUDENT,
        "rows": {"distilled": {"distill": {"objectives": ["kl"]}}},
        "training": {"epochs": epochs, "batch_size": BATCH, "evaluate_every": epochs, **fixed},
        "seeds": 1,
    }


def draw(sizes: list[int], taken: list[float], slope: float, offset: float) -> None:
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    axes = figure.subplots()
    axes.loglog(sizes, np.exp(offset) * np.array(sizes) ** slope, color="0.7", label=f"slope {slope:.2f}")
    axes.loglog(sizes, taken, "o", label="measured")
    axes.set(xlabel="samples", ylabel="seconds per epoch")
    axes.legend(frameon=False)
    figure.savefig(Path(__file__).with_name("scaling.svg"))


if __name__ == "__main__":
    main()
