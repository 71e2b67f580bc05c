"""The page of a run: whole, safe, the same each time."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from limbeck.core import UsageError
from limbeck.reports import write_report

SECTIONS = ["comparison", "learning", "classes", "confidence", "embedding", "gap", "cost", "data", "labels", "making"]
HOSTILE = '<script>alert("x")</script>'
QUOTE = '"><img src=x onerror=alert(1)>'
LONG = tuple(
    f"{name} {i}"
    for i, name in enumerate(["Ακτινογραφία θώρακος", "épanchement pleural", "肺炎克雷伯菌感染", "$x_1$ опухоль"] * 8)
)[:30]
KINDS = {
    "full": {"features": [f"feature {i}" for i in range(40)]},
    "two": {"classes": ("healthy", "diseased")},
    "thirty": {"classes": LONG},
    "hundred": {"classes": tuple(f"class {i}" for i in range(101))},
    "regression": {"regression": True},
    "unlabelled": {"known": False},
    "one_seed": {"seeds": 1},
    "alone": {"rows": (("alone", "student", "student alone", "source_only", 0.8),)},
}


@pytest.fixture(scope="module", params=list(KINDS))
def page(request: pytest.FixtureRequest, make_run: Callable[..., Path], read_page):
    return read_page(write_report(make_run(**KINDS[request.param])))


def test_it_is_well_formed(page) -> None:
    assert not page.faults
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in page.named("a")]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert page.named("html") == [{"lang": "en"}]
    assert [len(page.named(tag)) for tag in ("title", "h1", "header", "main", "footer", "nav")] == [1] * 6


def test_it_needs_no_network_and_no_script(page) -> None:
    assert "://" not in page.source
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe", "object", "base")]
    assert not page.values("src") and not page.values("xlink:href")
    assert all(value.startswith("#") for value in page.values("href"))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\((?!#)", page.source)


def test_every_chart_is_whole_themed_and_named(page) -> None:
    charts = re.findall(r'<svg class="chart".*?\n</svg>', page.source, re.DOTALL)
    assert len(charts) == len([svg for svg in page.named("svg") if svg.get("class") == "chart"]) > 1
    ids = set(page.values("id"))
    for chart in charts:
        root = ElementTree.fromstring(chart)
        assert root.get("role") == "img" and root.get("aria-label")
        assert set(re.findall(r"url\(#([^)]+)\)", chart)) | set(re.findall(r'href="#([^"]+)"', chart)) <= ids
        colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", chart))
        assert colours and all(colour == "none" or colour.startswith("var(--") for colour in colours), colours


def test_pictures_speak_to_screen_readers(page) -> None:
    outer = [svg for svg in page.named("svg") if "overflow" not in svg]  # the nested ones carry marks
    assert outer
    assert all(svg.get("aria-hidden") == "true" or (svg.get("role") == "img" and svg["aria-label"]) for svg in outer)


@pytest.mark.parametrize(
    ("kind", "absent"),
    [("full", []), ("regression", ["classes", "confidence"]), ("unlabelled", ["classes", "confidence"])],
)
def test_the_sections_stand_in_order(kind: str, absent: list[str], make_run, read_page) -> None:
    page = read_page(write_report(make_run(**KINDS[kind])))
    wanted = [name for name in SECTIONS if name not in absent]
    assert [section["id"] for section in page.named("section")] == wanted
    assert [link["href"] for link in page.named("a")] == [f"#{name}" for name in wanted]


def test_the_numbers_are_those_of_the_results(make_run, read_page) -> None:
    folder = make_run()
    results = json.loads((folder / "results.json").read_text())
    row = next(row for row in results["rows"] if row["name"] == "distilled_aligned")
    row["target"]["accuracy"] = {"mean": 0.97462, "std": 0.0023}
    row["versus_baseline"] = {"difference": 0.1666, "low": 0.1502, "high": 0.1832, "p_value": 3e-5}
    row["versus_baseline"]["mcnemar_p_value"] = 0.00021
    results["verdict"] = "It helps (p = 0.01). And that is so."
    (folder / "results.json").write_text(json.dumps(results))
    text = read_page(write_report(folder)).text
    for words in ("97.46 ± 0.23", "+16.7 +15.0 to +18.3", "< 0.0001 0.00021", "41,630 167 kB 0.040", "→ 97.5 %"):
        assert words in text
    assert "1/10 167 kB against 1.69 MB" in text
    assert "It helps (p = 0.01). And that is so. accuracy on photo" in text
    assert "distill · selected · best on test" in text
    assert "fine_tune · used target labels 5" in text


def test_what_users_wrote_stays_text(make_run, read_page) -> None:
    rows = [(name, kind, HOSTILE + title, method, score) for name, kind, title, method, score in ROWS]
    features = [HOSTILE, "</table>"]
    folder = make_run(
        HOSTILE, classes=(HOSTILE, QUOTE, "$x"), source=HOSTILE, target=QUOTE, rows=rows, features=features
    )
    recipe = f"name: '{HOSTILE}'\nnote: </pre>"
    (folder / "recipe.yaml").write_text(recipe)
    page = read_page(write_report(folder))
    assert not page.faults
    assert not page.named("script") and not page.named("img")
    assert "<script" not in page.source and "<img" not in page.source
    assert page.text.count("<script>") > 20 and "$x" in page.text and "</pre>" in page.text


ROWS = (
    ("teacher", "teacher", "t", "source_only", 0.84),
    ("alone", "student", "a", "source_only", 0.8),
    ("distilled", "student", "d", "distill", 0.88),
)


def test_equal_folders_give_equal_bytes(make_run) -> None:
    first, second = (write_report(make_run(**KINDS["full"])).read_bytes() for _ in range(2))
    assert first == second


def test_it_is_small_and_soon_there(make_run) -> None:
    folder = make_run(classes=LONG, features=[f"f{i}" for i in range(200)])
    write_report(folder)  # the first one loads fonts
    started = time.process_time()
    path = write_report(folder)
    assert time.process_time() - started < 5
    assert path.stat().st_size < 1_500_000


def test_without_results_it_says_what_to_run(make_run, read_page) -> None:
    folder = make_run()
    for name in ("results.json", "embedding.json", "gap.json"):
        (folder / name).unlink()
    page = read_page(write_report(folder))
    assert not page.faults
    assert "There are no results yet. Start the recipe again without --stages" in page.text
    assert [section["id"] for section in page.named("section")] == ["learning", "data", "making"]


@pytest.mark.parametrize("kept", ["gap.json", "embedding.json", "domains.json", "results.json", "recipe.yaml"])
def test_one_file_alone_is_enough(make_run, read_page, tmp_path: Path, kept: str) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (make_run() / kept).rename(alone / kept)
    page = read_page(write_report(alone))
    assert not page.faults
    assert "making" in page.values("id")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no run in"):
        write_report(tmp_path)


def test_one_seed_has_no_deviation(make_run, read_page) -> None:
    text = read_page(write_report(make_run(seeds=1))).text
    comparison = text[text.index("The comparison") : text.index("How they learned")]
    assert "±" not in comparison and "one seed" in comparison


def test_without_target_labels_nothing_is_claimed(make_run, read_page) -> None:
    text = read_page(write_report(make_run(known=False))).text
    assert "photo has no labels: nothing can be scored on it." in text
    assert "accuracy, % (source)" in text and "to baseline" not in text and "best on test" not in text


def test_a_teacher_that_tells_no_size_is_not_compared(make_run, read_page) -> None:
    folder = make_run()
    results = json.loads((folder / "results.json").read_text())
    results["rows"][0] |= {"parameters": None, "bytes": None, "milliseconds_per_sample": None}
    (folder / "results.json").write_text(json.dumps(results))
    text = read_page(write_report(folder)).text
    assert "size 167 kB 41,630 parameters time a sample 0.040 ms on the machine of the run" in text
    assert "teacher (cnn) – – – – 1 min 52 s" in text
