"""Batches that are made ready while the step before them runs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["Prefetch"]

T = TypeVar("T")


class Prefetch(Generic[T]):
    """`fetch(step)` for the steps from `first` to before `last`, in order, up to two a worker ahead.

    What `fetch` gives must follow from the step alone: then the number of workers changes nothing
    but the time. waited: the seconds in which the caller had nothing to do.

    >>> with Prefetch(lambda step: step**2, 2, 5, workers=1) as squares:
    ...     [squares.next() for _ in range(3)]
    [4, 9, 16]
    """

    def __init__(self, fetch: Callable[[int], T], first: int, last: int, workers: int):
        self.fetch = fetch
        self.coming = iter(range(first, last))
        self.workers = workers
        self.waited = 0.0
        self.pool = ThreadPoolExecutor(workers, "limbeck-batch") if workers else None
        self.ready: deque[Future[T]] = deque()

    def __enter__(self) -> Prefetch[T]:
        for _ in range(2 * self.workers):
            self._ask()
        return self

    def __exit__(self, *error: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)

    def next(self) -> T:
        """The next step's batch."""
        start = time.perf_counter()
        if self.pool is None:
            found = self.fetch(next(self.coming))
        else:
            found = self.ready.popleft().result()
            self._ask()
        self.waited += time.perf_counter() - start
        return found

    def _ask(self) -> None:
        step = next(self.coming, None)
        if self.pool is not None and step is not None:
            self.ready.append(self.pool.submit(self.fetch, step))
