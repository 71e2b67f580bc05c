"""12 tasks of 3 families on which no validator was developed: speakers, body sensors, and digits of unlike origin.

The default validator was chosen on tasks of `_candidates.PAIRS` and is scored on these.
"""

from __future__ import annotations

import io
import os
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _candidates import Pair
from torch.nn import functional

from limbeck.data import Data
from limbeck.data.arrays import Arrays
from limbeck.data.digits import Digits
from limbeck.data.mnist import Mnist
from limbeck.data.usps import Usps
from limbeck.networks import Network
from limbeck.networks.cnn import Cnn
from limbeck.networks.mlp import Mlp

__all__ = ["FRESH"]

RATE, WINDOW, HOP, SIZE = 8000, 256, 64, 16
"""Of a spectrogram: 8 kHz, 32 ms each 8 ms, and as many bands as frames after pooling."""

SPEAKERS = "george:jackson jackson:theo nicolas:yweweler lucas:nicolas"
SENSORS = "skeleton_odd:skeleton_even skeleton_even:skeleton_odd inertial_odd:inertial_even inertial_even:inertial_odd"
DIGITS = "scan:mnist mnist:photo usps:scan photo:usps"


def _speaker(name: str) -> Data:
    """Spoken digits of one speaker: 500 recordings as log-mel images of 16 bands and 16 frames."""
    with zipfile.ZipFile(Path(os.environ["LIMBECK_DATA"], "fsdd", "recordings.zip")) as archive:
        names = sorted(file for file in archive.namelist() if file.endswith(".wav") and f"_{name}_" in file)
        images = [_log_mel(_samples(archive.read(file))) for file in names]
    return Arrays(np.stack(images), labels=[Path(file).name[0] for file in names], name=name)


def _samples(content: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(content)) as recording:
        return np.frombuffer(recording.readframes(recording.getnframes()), dtype="<i2") / 32768


def _log_mel(samples: np.ndarray) -> np.ndarray:
    """[16, 16]: energies in bands of equal width in mel, in dB below the loudest, at least −60."""
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 1400), SIZE + 2) / 2595) - 1)
    centres, pitch = edges[1:-1, None], np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising, falling = (pitch - edges[:-2, None]) / (centres - edges[:-2, None]), (edges[2:, None] - pitch)
    bands = np.clip(np.minimum(rising, falling / (edges[2:, None] - centres)), 0, None) @ power.T
    pooled = functional.adaptive_avg_pool1d(torch.from_numpy(bands), SIZE).numpy()
    loudness = 10 * np.log10(pooled + 1e-12)
    return np.maximum(loudness - loudness.max(), -60).astype(np.float32)


def _sensor(name: str) -> Data:
    """One sensor of half of the people of UTD-MHAD, 27 actions: the mean and deviation of each channel in 4 quarters.

    Joints are told from the first one, so that where a person stands does not count.
    """
    sensor, people = name.split("_")
    found = np.load(Path(os.environ["LIMBECK_DATA"], "utd_mhad", "utd_mhad_skeleton_inertial.npz"))
    series, ends = found[sensor], found[f"{sensor}_offset"]
    if sensor == "skeleton":
        series = (series[:, 1:] - series[:, :1]).reshape(len(series), -1)
    kept = np.flatnonzero(found["keys"][:, 1] % 2 == (people == "odd"))
    quarters = [np.array_split(series[ends[i] : ends[i + 1]], 4) for i in kept]
    rows = [np.concatenate([part for q in quarter for part in (q.mean(0), q.std(0))]) for quarter in quarters]
    return Arrays(np.stack(rows).astype(np.float32), labels=found["keys"][kept, 0].astype(str), name=name)


def _digits(name: str) -> Data:
    origins: dict[str, Callable[[], Data]] = {
        "scan": lambda: Digits("scan"),
        "photo": lambda: Digits("photo"),
        "mnist": lambda: Mnist(limit=1200, size=SIZE),
        "usps": lambda: Usps(limit=1200),
    }
    return origins[name]()


def _tasks(family: str, read: Callable[[str], Data], pairs: str, student: Callable[[], Network]) -> list[Pair]:
    named = [pair.split(":") for pair in pairs.split()]
    return [Pair(family, f"{s} → {t}", lambda s=s: read(s), lambda t=t: read(t), student) for s, t in named]


FRESH = [
    *_tasks("speakers", _speaker, SPEAKERS, lambda: Cnn(widths=[16, 32], hidden=64)),
    *_tasks("sensors", _sensor, SENSORS, lambda: Mlp(hidden=[64], dropout=0.3)),
    *_tasks("unlike_digits", _digits, DIGITS, lambda: Cnn(widths=[16, 32], hidden=64)),
]
