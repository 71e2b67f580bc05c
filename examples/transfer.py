"""The one call: two domains in, a proven student and a report out.

python examples/transfer.py [RUNS FOLDER]      about a minute on 2 cores
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import limbeck


def scanned_and_faint() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Two domains of scikit-learn's 8×8 digits without a common original: as scanned, and smeared on grey paper."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    smeared = (images[900:] + np.roll(images[900:], 1, axis=1)) / 2
    noise = np.random.default_rng(0).normal(0, 0.05, smeared.shape)
    return (images[:900], labels[:900]), (0.2 + 0.6 * smeared + noise, labels[900:])


def main(runs: Path, seeds: int = 2, epochs: int = 20) -> limbeck.Transfer:
    """Train the teacher on the source, teach the student, compare, and write the report."""
    source, target = scanned_and_faint()
    done = limbeck.transfer(
        source,
        target,  # its labels stay sealed in training: they serve the proof. (inputs, None) is allowed too
        teacher={"cnn": {"widths": [32, 64], "hidden": 128}},
        student={"cnn": {"widths": [8, 16], "hidden": 32}},
        name="faint_digits",
        seeds=seeds,
        runs=runs,
        training={"epochs": epochs},
    )
    print(done.verdict)
    print(f"report: {done.report}")
    print(done.student.predict(target[0][:3]).round(3))
    return done


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
