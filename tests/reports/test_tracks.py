"""Positions of the dot plots, against their own axes."""

from __future__ import annotations

import numpy as np
import pytest

from limbeck.reports._run import read_run
from limbeck.reports._tracks import forest, label_shares, sizes


@pytest.mark.parametrize("settings", [{}, {"regression": True}, {"known": False}])
def test_marks_stand_where_the_axis_says(make_run, settings) -> None:
    run = read_run(make_run(**settings))
    where = "target" if settings.get("known", True) else "source"
    drawn = forest(run)
    at = np.array([tick.at for tick in drawn.ticks])
    values = np.array([float(tick.text.replace("−", "-")) for tick in drawn.ticks]) / run.measure.factor
    slope, start = np.polyfit(values, at, 1)
    assert len(at) >= 2
    for row, track in zip(run.rows, drawn.tracks, strict=True):
        summary = row[where][run.results["metric"]]
        wanted = [summary["mean"], summary["mean"] - summary["std"], summary["mean"] + summary["std"]]
        wanted += [seed[where][run.results["metric"]] for seed in row["seeds"]]
        shown = [track.mean, track.low, track.high, *track.seeds]
        assert shown == pytest.approx([start + slope * value for value in wanted], abs=0.05)
        assert all(0 < place < 100 for place in shown)
    alone = next(track for track in drawn.tracks if track.role == "baseline")
    assert drawn.baseline == alone.mean
    assert [track.title for track in drawn.tracks if track.role == "selected"] == ["distilled and aligned (MMD)"]


def test_equal_scores_still_have_an_axis(make_run) -> None:
    run = read_run(make_run(seeds=1))
    for row in run.rows:
        row["target"]["accuracy"]["mean"] = row["seeds"][0]["target"]["accuracy"] = 1.0
    drawn = forest(run)
    assert {track.mean for track in drawn.tracks} == {50.0}
    assert drawn.ticks


def test_shares_start_at_zero_and_hold_their_intervals() -> None:
    labels = {"classes": ["a", "b"], "source": [0.5, 0.5], "estimated": [0.3, 0.7], "low": [0.2, 0.6]}
    shares, ticks = label_shares(labels | {"high": [0.4, 0.8]})
    assert ticks[0].at == 0 and ticks[0].text == "0"
    unit = ticks[1].at / float(ticks[1].text)
    assert [shares[1].source, shares[1].target, shares[1].low, shares[1].high] == pytest.approx(
        [50 * unit, 70 * unit, 60 * unit, 80 * unit], abs=0.02
    )
    assert shares[0].text == "50.0 → 30.0 %"
    assert label_shares(None) == ([], [])


def test_bars_are_parts_of_the_longest() -> None:
    assert sizes([100, 25, None]) == [100.0, 25.0, None]
    assert sizes([0, None]) == [0.0, None]
