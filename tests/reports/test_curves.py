"""What the curves show of the logs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from limbeck.reports import write_report
from limbeck.reports._curves import _curve, adaptation_charts, adapting, collapses, curve_charts, legend
from limbeck.reports._run import read_run


def write_log(folder, row: str, seed: int, values: dict[int, float], **more: float) -> None:
    path = folder / "students" / row / str(seed) / "log.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"step": epoch, "epoch": epoch, "loss": value, **more} for epoch, value in values.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_mean_and_spread_are_over_the_seeds_that_have_the_epoch(tmp_path) -> None:
    write_log(tmp_path, "a", 0, {1: 1.0, 2: 4.0})
    write_log(tmp_path, "a", 1, {1: 2.0})
    curve = _curve(read_run(tmp_path), "a", 0, ("loss",))
    assert curve.epochs.tolist() == [1, 2]
    assert curve.mean.tolist() == [1.5, 4.0]
    assert curve.spread.tolist() == pytest.approx([np.std([1, 2], ddof=1), 0.0])


def test_epochs_without_the_value_are_left_out(tmp_path) -> None:
    write_log(tmp_path, "a", 0, {1: 1.0})
    with (tmp_path / "students/a/0/log.jsonl").open("a") as file:
        file.write('{"step": 2, "epoch": 2, "loss": 0.5, "validator/entropy": 0.9}\n')
    run = read_run(tmp_path)
    assert _curve(run, "a", 0, ("validator/entropy",)).epochs.tolist() == [2]
    assert _curve(run, "a", 0, ("source_accuracy",)) is None
    assert [chart.title for chart in curve_charts(run)] == ["training loss", "validator: entropy"]


def test_the_source_is_not_drawn_twice(make_run) -> None:
    run = read_run(make_run(regression=True))
    assert [chart.title for chart in curve_charts(run)] == ["training loss", "validator: source validation"]


def test_the_kept_epoch_is_the_median(make_run) -> None:
    run = read_run(make_run())
    row = next(row for row in run.rows if row["name"] == "distilled")
    kept = np.median([seed["epoch"] for seed in row["seeds"]])
    assert _curve(run, "distilled", 0, ("validator/information_maximisation",)).chosen == kept
    assert _curve(run, "distilled", 0, ("loss",)).chosen is None


def test_the_legend_follows_the_table_and_tells_rows_apart(make_run) -> None:
    run = read_run(make_run())
    keys = legend(run)
    assert [key.title for key in keys] == [row["title"] for row in run.rows]
    assert len({(key.colour, key.dashes) for key in keys}) == len(keys)
    assert [key.title for key in keys if key.selected] == [run.selected["title"]]


def test_wide_losses_are_logarithmic(tmp_path) -> None:
    write_log(tmp_path, "a", 0, {1: 100.0, 2: 10.0, 3: 1.0})
    assert "10.0" not in str(curve_charts(read_run(tmp_path))[0].svg)
    (svg,) = [chart.svg for chart in curve_charts(read_run(tmp_path))]
    assert svg.count("<text") >= 4


def test_rows_that_adapt_are_drawn_and_the_others_are_not(tmp_path) -> None:
    write_log(tmp_path, "alone", 0, {1: 1.0, 2: 0.5})
    told = {"diagnostics/gap": 0.3, "diagnostics/probe": 0.8, "diagnostics/discriminator": 0.7}
    write_log(tmp_path, "dann", 0, {1: 1.0, 2: 0.5}, **told)
    write_log(tmp_path, "mmd", 0, {1: 1.0, 2: 0.5}, **{"diagnostics/gap": 0.1})
    run = read_run(tmp_path)
    assert [key.title for key in adapting(run)] == ["dann", "mmd"]
    assert [key.colour for key in adapting(run)] == [1, 2]  # as in the other charts
    charts = adaptation_charts(run)
    assert [chart.title.split()[0] for chart in charts] == ["gap", "domains", "domains"]
    assert "of 2 rows" in charts[0].svg and "of 1 rows" in charts[1].svg
    assert "How they adapted" in write_report(tmp_path).read_text(encoding="utf-8")


def test_a_collapse_is_told_and_without_anything_to_tell_there_is_no_section(make_run) -> None:
    folder = make_run()
    assert "How they adapted" not in write_report(folder).read_text(encoding="utf-8")
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    results["rows"][6]["seeds"][1]["collapse"] = "distilled_aligned has collapsed: <it> fell."
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (told,) = collapses(read_run(folder))
    assert told == "distilled and aligned (MMD), seed 1: distilled_aligned has collapsed: <it> fell."
    page = write_report(folder).read_text(encoding="utf-8")
    assert "has collapsed: &lt;it&gt; fell." in page and 'href="#adaptation"' in page


def test_a_logarithmic_axis_has_plain_numbers(tmp_path) -> None:
    write_log(tmp_path, "a", 0, {1: 100.0, 2: 10.0, 3: 1.0})
    (svg,) = [chart.svg for chart in curve_charts(read_run(tmp_path))]
    assert "$" not in svg and ">100<" in svg and ">10<" in svg
