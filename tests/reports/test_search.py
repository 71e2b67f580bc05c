"""What a search found, in the page and on the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from limbeck.reports import write_report
from limbeck.reports._search import shown_values, spread
from limbeck.reports.search import print_search, search_table

PLACE = "rows.distilled.distill.objectives.1"


def trial(number: int, score: float | None, size: int, state: str = "finished") -> dict[str, Any]:
    values = {"student.cnn.widths": [16 - number, 32], f"{PLACE}.weight": 1.0}
    costs = {"bytes": size, "multiply_adds": 10 * size}
    return {"number": number, "values": values, "costs": costs, "state": state, "score": score}


@pytest.fixture
def found(make_run: Callable[..., Path]) -> Path:
    folder = make_run()
    results = json.loads((folder / "results.json").read_text())
    rows = [row for row in results["rows"] if row["name"] in ("alone", "distilled")]
    for row, name in zip(rows, ("own", "found"), strict=True):
        row |= {"name": name, "title": name}
    search = {
        "row": "distilled",
        "validator": "information_maximisation",
        "costs": ["bytes"],
        "trials": [
            trial(0, 1.5, 9000),
            trial(1, 1.6, 3000),
            trial(2, 1.1, 4000, "pruned"),
            trial(3, None, 1, "failed"),
        ],
        "front": [1],
        "own": 0,
        "finalists": [{"number": 0, "scores": [1.5, 1.52]}, {"number": 1, "scores": [1.6, 1.7]}],
        "chosen": 1,
        "why": "4 students were tried. Chosen: trial 1.",
        "recipe": "runs/digits/search/found.yaml",
        "comparison": {**results, "baseline": "own", "rows": rows},
    }
    (folder / "search.json").write_text(json.dumps(search))
    return folder


def test_the_page_has_the_front_and_the_comparison(found: Path) -> None:
    text = write_report(found).read_text()
    section = text[text.index('<section id="search"') :]
    section = section[: section.index("</section>")]
    for said in ("Chosen: trial 1.", "widths [15, 32]", "3.00 kB", "30,000", "1.650 ± 0.071", "found.yaml"):
        assert said in section, said
    assert "trial 2" not in section and '<a href="#search">' in text
    assert "of 3 students, with the front of the best" in section  # the failed one has no score


def test_a_search_alone_has_a_headline_of_its_own(found: Path) -> None:
    assert "There are no results yet" not in write_report(found).read_text()  # with results, theirs is the headline
    (found / "results.json").unlink()
    text = write_report(found).read_text()
    assert "A search among students." in text and "There are no results yet" not in text


def test_a_search_without_a_choice_says_so(found: Path) -> None:
    search = json.loads((found / "search.json").read_text())
    (found / "search.json").write_text(json.dumps(search | {"chosen": None, "recipe": None, "comparison": None}))
    text = write_report(found).read_text()
    assert 'id="search"' in text and "limbeck run None" not in text and "whose labels were opened" not in text


def test_a_run_without_a_search_has_no_section(make_run: Callable[..., Path]) -> None:
    assert 'id="search"' not in write_report(make_run()).read_text()


def test_the_terminal_names_what_differs(found: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=160, record=True, file=None)
    with console.capture() as shown:
        console.print(search_table(found))
    lines = [line.strip() for line in shown.get().splitlines()]
    assert any(line.startswith("trial 1") and "widths [15, 32]" in line and "weight" not in line for line in lines)
    print_search(found)
    said = capsys.readouterr().out
    assert said.splitlines()[-2:] == [
        "next: limbeck run runs/digits/search/found.yaml",
        f"report: {found / 'report.html'}",
    ]


def test_values_are_told_apart() -> None:
    assert shown_values({f"{PLACE}.weight": 0.5, "rows.distilled.distill.objectives.2.weight": 2.0}) == (
        "1.weight 0.5, 2.weight 2.0"
    )
    assert shown_values({}) == ""
    assert spread([1.0]) == "–" and spread([1.0, 3.0]) == "2.000 ± 1.4"
