"""What is read of a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from limbeck.core import RunError, UsageError
from limbeck.evaluation import check_results
from limbeck.reports._run import best_of, read_results, read_run, selected_of, sentences, teacher_of

KINDS = [{}, {"regression": True}, {"known": False}, {"seeds": 1}, {"classes": ("a", "b")}]


@pytest.mark.parametrize("settings", KINDS)
def test_the_made_up_results_are_as_the_schema_says(make_run: Callable[..., Path], settings: dict) -> None:
    check_results(json.loads((make_run(**settings) / "results.json").read_text()))


def test_the_selected_row_is_that_of_the_results(make_run: Callable[..., Path]) -> None:
    results = read_results(make_run())
    assert selected_of(results | {"selected": "features"})["name"] == "features"
    assert selected_of(results | {"selected": None}) is None


@pytest.mark.parametrize(
    ("settings", "best"), [({}, "second"), ({"regression": True}, "teacher"), ({"known": False}, "third")]
)
def test_of_several_teachers_the_best_is_shown(make_run: Callable[..., Path], settings: dict, best: str) -> None:
    rows = [("alone", "student", "alone", "source_only", 0.8)]
    rows += [(name, "teacher", name, "source_only", 0.9) for name in ("teacher", "second", "third")]
    results = read_results(make_run(rows=rows, **settings))
    where, values = ("target", (0.7, 0.9, 0.8)) if settings.get("known", True) else ("source", (0.7, 0.8, 0.9))
    for row, value in zip(results["rows"][1:], values, strict=True):
        row[where][results["metric"]]["mean"] = value
    assert teacher_of(results)["name"] == best


def test_the_best_is_a_student_in_the_metrics_own_direction(make_run: Callable[..., Path]) -> None:
    for settings, lead in (({}, 1.0), ({"regression": True}, 0.0)):
        results = read_results(make_run(**settings))
        rows = {row["name"]: row for row in results["rows"]}
        for name in ("features", "bound", "teacher"):
            rows[name]["target"][results["metric"]]["mean"] = lead
        assert best_of(results)["name"] == "features"


def test_without_labels_nothing_is_best(make_run: Callable[..., Path]) -> None:
    assert best_of(read_results(make_run(known=False))) is None


def test_logs_lose_their_half_line_only(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    path = folder / "students" / "distilled" / "0" / "log.jsonl"
    lines = len(read_run(folder).logs["distilled"][0])
    path.write_text(path.read_text() + '{"step": 541, "los')
    assert len(read_run(folder).logs["distilled"][0]) == lines
    path.write_text("{broken}\n")
    with pytest.raises(RunError, match=r"distilled/0/log\.jsonl is damaged"):
        read_run(folder)


def test_teachers_come_first(make_run: Callable[..., Path]) -> None:
    assert next(iter(read_run(make_run()).logs)) == "teacher"


@pytest.mark.parametrize("name", ["results", "gap", "embedding", "domains", "environment"])
@pytest.mark.parametrize("text", ['{"a": ', "[]"])
def test_a_damaged_file_is_named(make_run: Callable[..., Path], name: str, text: str) -> None:
    folder = make_run()
    (folder / f"{name}.json").write_text(text)
    with pytest.raises(RunError, match=rf"{name}\.json is damaged"):
        read_run(folder)


def test_results_of_another_version_are_refused(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    (folder / "results.json").write_text('{"schema": 7}')
    with pytest.raises(RunError, match=r"results\.json has schema 7"):
        read_run(folder)


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(tmp_path)):
        read_run(tmp_path)


def test_decimals_do_not_end_a_sentence() -> None:
    verdict = "a reaches 89.1 ± 0.4 % (p = 0.02). That closes 5 % of the gap."
    assert sentences(verdict) == ("a reaches 89.1 ± 0.4 % (p = 0.02).", "That closes 5 % of the gap.")
    assert sentences("Nothing.") == ("Nothing.", "")
