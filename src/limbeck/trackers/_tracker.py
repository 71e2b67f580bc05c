from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Tracker"]


class Tracker(ABC):
    """The base of the room: where the numbers of a training go.

    `open` is called with the training's folder and the step from which it goes on: what an
    interrupted run wrote after that step is dropped, so that a resumed log has no doubles.
    """

    @abstractmethod
    def open(self, folder: Path, step: int) -> None:
        """Start, or go on after, `step` steps."""

    @abstractmethod
    def log(self, values: Mapping[str, float | int | str], step: int) -> None:
        """Keep the values of one moment."""

    @abstractmethod
    def close(self) -> None:
        """Flush and let go."""
