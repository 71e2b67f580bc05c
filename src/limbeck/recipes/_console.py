"""What a run says while it works."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

__all__ = ["Console"]


class Console:
    """Lines, and on a terminal a progress bar with the time left, on standard error; silent when `quiet`."""

    def __init__(self, quiet: bool = False):
        from rich.console import Console as Rich

        self.rich = Rich(stderr=True, quiet=quiet, highlight=False)

    def say(self, text: str) -> None:
        """One line, as it is."""
        self.rich.print(text, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def progress(self, title: str, total: float) -> Iterator[Callable[[float, str], None]]:
        """A bar; the function it gives sets what is done, of `total`, and what is being done."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        if not self.rich.is_terminal:
            yield lambda done, text: None
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.rich, transient=True) as bar:
            task, told = bar.add_task(title, total=total), 0.0

            def show(done: float, text: str) -> None:
                nonlocal told
                if time.monotonic() - told > 0.1:  # it is called at every step, which may be short
                    told = time.monotonic()
                    bar.update(task, completed=done, description=f"{title}: {text}")

            yield show
