"""The event files hold the same numbers, each step once."""

from __future__ import annotations

from pathlib import Path

import pytest

from limbeck.trackers.tensorboard import Tensorboard

pytestmark = pytest.mark.extra("tensorboard")


def write(folder: Path, step: int, values: dict[int, float]) -> None:
    tracker = Tensorboard()
    tracker.open(folder, step)
    for place, value in values.items():
        tracker.log({"loss": value, "epoch": place // 10, "words": "are left out"}, place)
    tracker.close()


def read(folder: Path) -> dict[int, float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "epoch"}
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert len(dict(found)) == len(found), "a step stands there twice"
    return dict(found)


def test_numbers_are_written(tmp_path: Path) -> None:
    write(tmp_path, 0, {10: 1.0, 20: 0.5})
    assert read(tmp_path) == {10: 1.0, 20: 0.5}


@pytest.mark.parametrize(("step", "expected"), [(20, {10: 1.0, 20: 2.0, 30: 9.0}), (0, {30: 9.0})])
def test_going_on_hides_what_came_after(step: int, expected: dict[int, float], tmp_path: Path) -> None:
    """Also after a kill before the first checkpoint, when it goes on from step 0."""
    write(tmp_path, 0, {10: 1.0, 20: 2.0, 30: 3.0})
    write(tmp_path, step, {30: 9.0})
    assert read(tmp_path) == expected


def test_an_absent_library_says_which_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from limbeck.core import UsageError

    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"pip install 'limbeck\[tensorboard\]'"):
        Tensorboard().open(tmp_path, 0)
