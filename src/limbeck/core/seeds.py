"""Named streams of randomness: the same name gives the same numbers, whatever was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["SeedStream", "generator", "resampled", "some_of", "stream_seed"]


def stream_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` of `seed`, for torch and other libraries.

    >>> stream_seed(0, "order", 3) == stream_seed(0, "order", 3)
    True
    >>> stream_seed(0, "order", 3) == stream_seed(0, "order", 4)
    False
    """
    digest = hashlib.blake2b(_text(seed, *names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _text(*names: str | int) -> str:
    return "\x1f".join(f"{type(name).__name__}:{name}" for name in names)


class SeedStream:
    """The seeds of a stream that is counted: `stream_seed(seed, *names, number)`, in less time for each.

    >>> SeedStream(0, "step").seed(7) == stream_seed(0, "step", 7)
    True
    """

    def __init__(self, seed: int, *names: str | int):
        self._begun = hashlib.blake2b(_text(seed, *names).encode(), digest_size=8)

    def seed(self, number: int) -> int:
        hashed = self._begun.copy()
        hashed.update(b"\x1fint:%d" % number)
        return int.from_bytes(hashed.digest(), "little") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator (Philox, counter-based) for the stream `names` of `seed`."""
    return np.random.Generator(np.random.Philox(stream_seed(seed, *names)))


def some_of(count: int, most: int) -> np.ndarray:
    """At most so many of `count` places, ascending, drawn once and for all: the first ones may be of one class.

    >>> some_of(3, 5).tolist(), len(some_of(100, 5)), some_of(100, 5).tolist() == some_of(100, 5).tolist()
    ([0, 1, 2], 5, True)
    """
    if count <= most:
        return np.arange(count)
    return np.sort(generator(0, "some", count).permutation(count)[:most])


def resampled(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As many positions as there are weights, each as often as it weighs, ascending: `n · w / Σ w`, rounded by chance.

    Systematic resampling (Kitagawa 1996, appendix): one uniform number moves a comb of n teeth over the running sum,
    so that a position comes `⌊n w⌋` or `⌈n w⌉` times, in expectation n w times.

    weights: [n], ≥ 0, not all 0.

    >>> resampled(np.array([0.0, 3.0, 1.0, 0.0]), generator(0)).tolist()
    [1, 1, 1, 2]
    """
    ends = np.cumsum(weights, dtype=np.float64)
    teeth = (np.arange(len(weights)) + random.random()) / len(weights)
    return np.minimum(np.searchsorted(ends / ends[-1], teeth, side="right"), np.flatnonzero(weights)[-1])
