"""Memory that is freed stays while it is wanted, and goes back afterwards."""

from __future__ import annotations

import platform
import resource
from pathlib import Path

import numpy as np
import pytest

from limbeck.core.memory import freed_memory_kept

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library allocates as it likes")

SIZE = 40 << 20


def faults() -> int:
    """Pages that the system had to give."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def resident() -> int:
    """Bytes of anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def touch(times: int) -> None:
    for _ in range(times):
        np.ones(SIZE, np.uint8)


def test_a_block_that_comes_again_costs_no_pages() -> None:
    touch(1)
    before = faults()
    touch(5)
    apart = faults() - before
    with freed_memory_kept():
        touch(1)
        before = faults()
        touch(5)
        kept = faults() - before
    assert kept < apart / 10


def test_it_is_given_back_even_after_an_error() -> None:
    before = resident()
    with pytest.raises(KeyError), freed_memory_kept():
        touch(1)
        assert resident() > before + SIZE / 2
        raise KeyError
    assert resident() < before + SIZE / 2
