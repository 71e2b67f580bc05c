"""Recalls and confusions, class by class."""

from __future__ import annotations

import pytest

from limbeck.reports._classes import CLASSES, confusion_charts, largest_confusions, recalls, reliability_charts
from limbeck.reports._run import read_run

MANY = tuple(f"class {i}" for i in range(60))


def test_recalls_are_the_rows_own(make_run) -> None:
    run = read_run(make_run())
    table = recalls(run)
    for place, (name, support, cells, gain) in enumerate(table.classes):
        entries = [row["per_class"][place] for row in run.rows]
        assert (name, support) == (entries[0]["class"], entries[0]["support"])
        if entries[0]["recall"] is None:
            assert [cell.text for cell in cells] == ["–"] * len(entries) and gain == "–"
        else:
            assert [cell.value for cell in cells] == [entry["recall"]["mean"] for entry in entries]
            change = (
                run.selected["per_class"][place]["recall"]["mean"] - run.baseline["per_class"][place]["recall"]["mean"]
            )
            assert float(gain.replace("−", "-")) == pytest.approx(100 * change, abs=0.051)


def test_of_many_classes_those_that_moved_most_are_listed(make_run) -> None:
    run = read_run(make_run(classes=MANY))
    shown = recalls(run)
    moved = {}
    for a, b in zip(run.baseline["per_class"], run.selected["per_class"], strict=True):
        moved[a["class"]] = abs(b["recall"]["mean"] - a["recall"]["mean"]) if a["recall"] else 0.0
    names = [name for name, *_ in shown.classes]
    assert len(names) == CLASSES and shown.of == len(MANY)
    assert min(moved[name] for name in names) >= max(moved[name] for name in MANY if name not in names)
    assert names == [name for name in MANY if name in names]


def test_the_largest_confusions_are_found(make_run) -> None:
    run = read_run(make_run(classes=MANY[:20]))
    run.baseline["confusion"][3][7], run.selected["confusion"][3][7] = 50.0, 2.0
    run.selected["confusion"][7][3] = 40.0
    found = largest_confusions(run)
    assert found[0] == ("class 3", "class 7", ["50.0", "2.0"])
    assert found[1][:2] == ("class 7", "class 3") and found[1][2][1] == "40.0"
    assert not largest_confusions(read_run(make_run()))  # ten classes: the matrix says it


def test_a_matrix_shows_its_counts_and_names(make_run) -> None:
    run = read_run(make_run(classes=("cat", "dog")))
    run.selected["confusion"][:] = [[27.0, 3.4], [0.0, 28.0]]
    baseline, selected = confusion_charts(run)
    assert (baseline.note, selected.note) == ("baseline", "selected")
    for text in (">27<", ">3.4<", ">28<", ">cat<", ">dog<"):
        assert text in selected.svg
    assert ">0.0<" not in selected.svg
    run.selected["confusion"][:] = [[27.0, 3.0], [0.0, 28.0]]
    assert ">3<" in confusion_charts(run)[1].svg  # one seed has whole counts


def test_too_many_classes_have_no_matrix(make_run) -> None:
    assert not confusion_charts(read_run(make_run(classes=tuple(map(str, range(101))))))


def test_the_baseline_alone_has_one_matrix(make_run) -> None:
    run = read_run(make_run(rows=(("alone", "student", "alone", "source_only", 0.8),)))
    assert run.selected is None
    assert [chart.note for chart in confusion_charts(run)] == ["baseline"]
    assert not recalls(run).compared


def test_reliability_names_its_error(make_run) -> None:
    run = read_run(make_run())
    run.selected["target"]["ece"] = {"mean": 0.0312, "std": 0.0}
    assert [chart.note.partition(",")[0] for chart in reliability_charts(run)] == ["teacher", "baseline", "selected"]
    assert reliability_charts(run)[2].note == "selected, ECE 3.1 %"
