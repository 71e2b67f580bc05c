"""The same numbers for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from limbeck.core import missing_extra
from limbeck.trackers import Tracker

__all__ = ["Tensorboard"]


class Tensorboard(Tracker):
    """Writes event files into `tensorboard/` beside the weights; needs the extra `tensorboard`.

    On resume, what an interrupted run wrote after the step it goes on from is purged.
    """

    def open(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise missing_extra("tensorboard", "tensorboard", "The tracker tensorboard") from error
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def log(self, values: Mapping[str, float | int | str], step: int) -> None:
        for name, value in values.items():
            if not isinstance(value, str):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
