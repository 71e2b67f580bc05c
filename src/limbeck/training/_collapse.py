"""What is done about a training that has collapsed."""

from __future__ import annotations

from limbeck.core import RunError
from limbeck.training._checkpoint import Progress
from limbeck.training._job import Job

__all__ = ["diverged", "judge"]


def diverged(job: Job, progress: Progress, name: str, value: float, epoch: int) -> str:
    """End a training whose `name` is no number: a sentence where it falls back, `RunError` where it cannot."""
    mend = f"Lower 'training.learning_rate' ({job.settings.learning_rate}) or set 'training.clip: 1.0'."
    told = f"The {name} of {job.name} became {value} in epoch {epoch}"
    if job.settings.on_collapse != "fall_back" or not any(progress.sound):
        raise RunError(f"{told}. {mend}")
    progress.stopped = True
    progress.collapse = f"{told}: training ended there, and the checkpoint of epoch {_kept(progress)} was kept. {mend}"
    return progress.collapse


def judge(job: Job, progress: Progress, trouble: str | None, epoch: int, last: bool) -> str | None:
    """What is to be said of an evaluation whose answers have `trouble`: a sentence where it is the `last` one.

    A training may begin as one that has collapsed, and may recover from a collapse: so one that falls back goes on,
    and keeps a checkpoint that is sound wherever there was one. One that is to stop does at the second evaluation in a
    row, after a sound one.
    """
    before, again = any(progress.sound), progress.sound[-2:] == [False, False]
    if trouble is None:
        return None
    choice = job.settings.on_collapse
    told = f"{job.name} has collapsed: in epoch {epoch} it {trouble}"
    if choice == "stop" and (last or (before and again)):
        raise RunError(
            f"{told}. Lower the learning rate or the weight of what adapts, or set 'training.on_collapse' to "
            "fall_back, which keeps the best checkpoint from before."
        )
    if not last:
        return None
    if choice == "go_on":
        progress.collapse = f"{told}."
    elif not before:
        progress.collapse = f"{told}, as at every evaluation: there is no checkpoint from before to fall back to."
    else:
        first = progress.epochs[len(progress.sound) - progress.sound[::-1].index(True)]
        progress.collapse = f"{told}, as from epoch {first} on: the checkpoint of epoch {_kept(progress)} was kept."
    return progress.collapse


def _kept(progress: Progress) -> int:
    return progress.epochs[progress.chosen]
