"""Batches ahead of time: in order, whatever the number of workers, with their faults, and none left behind."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from small_world import World, settings

from limbeck.methods.source_only import SourceOnly
from limbeck.training import train
from limbeck.training._prefetch import Prefetch


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize(("first", "last"), [(0, 20), (7, 9), (5, 5)])
def test_batches_come_in_order(workers: int, first: int, last: int) -> None:
    def fetch(step: int) -> int:
        time.sleep(0.002 * (step % 3))  # some are later than the next
        return step

    with Prefetch(fetch, first, last, workers) as batches:
        assert [batches.next() for _ in range(first, last)] == list(range(first, last))
    assert threading.active_count() == 1 or not any("limbeck-batch" in t.name for t in threading.enumerate())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fault_arrives_at_its_step(workers: int) -> None:
    def fetch(step: int) -> int:
        if step == 2:
            raise OSError("the disk is gone")
        return step

    with Prefetch(fetch, 0, 10, workers) as batches:
        assert [batches.next(), batches.next()] == [0, 1]
        with pytest.raises(OSError, match="the disk is gone"):
            batches.next()


def test_only_waiting_counts_as_waiting() -> None:
    ready = threading.Event()

    def fetch(step: int) -> None:
        time.sleep(0.5)
        ready.set()

    with Prefetch(fetch, 0, 1, workers=1) as batches:
        ready.wait()
        batches.next()
        assert batches.waited < 0.4
    with Prefetch(lambda step: time.sleep(0.02), 0, 4, workers=0) as batches:
        batches.next()
        assert batches.waited >= 0.02


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_what_is_learnt(tmp_path, workers: int) -> None:
    weights = []
    for count in (0, workers):
        method = SourceOnly()
        train(World().job(tmp_path / str(count), lambda method=method: method, settings(workers=count)))
        weights.append(torch.cat([value.flatten() for value in method.student.network.parameters()]))
    assert weights[0].equal(weights[1])
