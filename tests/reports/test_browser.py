"""What a browser makes of the page: nothing overflows, nothing is fetched, themes and paper have their colours."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from limbeck.reports import write_report

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever is asked for, nothing is reached
    "--enable-logging=stderr",
)
LONG = tuple(f"Wärmedämmverbundsystem mit Ακτινογραφία {i}" for i in range(30))

MEASURE = """<script>
const wide = [...document.querySelectorAll("body *")].filter(
  e => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 0.5);
parent.postMessage({inner: innerWidth, scroll: document.documentElement.scrollWidth,
  boxes: document.querySelectorAll(".scroll").length, wide: wide.map(e => e.tagName + "." + e.className)}, "*");
</script>"""
FRAME = """<!DOCTYPE html><script>
addEventListener("message", event => document.documentElement.dataset.measured = JSON.stringify(event.data));
</script><iframe src="copy.html" width="{width}" height="900" style="border: 0"></iframe>"""


@pytest.fixture(scope="module")
def report(make_run) -> Path:
    title = "a_very_long_row_name_without_any_place_to_break_it_into_lines"
    rows = (
        ("teacher", "teacher", title, "source_only", 0.84),
        ("alone", "student", title, "source_only", 0.8),
        ("distilled", "student", title, "distill", 0.88),
    )
    return write_report(make_run("a_run_with_a_long_name_" * 3, classes=LONG, rows=rows, features=list(LONG)))


@pytest.fixture
def browse(chromium: str, tmp_path: Path):
    """Run the browser on a file; returns what it printed and what it logged."""

    def run(path: Path, *options: str) -> tuple[str, str]:
        command = [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *options, path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run


def requests(log: Path) -> set[str]:
    """The addresses that a page asked for; the browser's own errands have no origin."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event["params"] for event in events if "initiator" in event.get("params", {})]
    return {params["url"] for params in asked if params["initiator"] != "not an origin"}


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(width: int, report: Path, browse, tmp_path: Path) -> None:
    copy = tmp_path / "copy.html"
    text = re.sub(r"<meta http-equiv[^>]*>", "", report.read_text(encoding="utf-8"))
    copy.write_text(text.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    frame = tmp_path / "frame.html"  # a window may not be as narrow as a phone, a frame may
    frame.write_text(FRAME.format(width=width))
    dom, _ = browse(frame, "--virtual-time-budget=5000", "--dump-dom")
    measured = json.loads(html.unescape(re.search(r'data-measured="([^"]*)"', dom)[1]))
    assert measured["inner"] == width and measured["boxes"] > 5
    assert measured["scroll"] <= width, measured
    assert not measured["wide"]


def test_it_asks_for_nothing_and_says_nothing(report: Path, browse, tmp_path: Path) -> None:
    _, said = browse(report, f"--log-net-log={tmp_path / 'net.json'}", "--dump-dom")
    assert not requests(tmp_path / "net.json")
    assert "CONSOLE" not in said


def test_a_page_that_asks_would_be_found(browse, tmp_path: Path) -> None:
    page = tmp_path / "asks.html"
    page.write_text('<!DOCTYPE html><img src="http://127.0.0.1:9/a.png"><script>nothing()</script>')
    _, said = browse(page, f"--log-net-log={tmp_path / 'net.json'}", "--dump-dom")
    assert requests(tmp_path / "net.json") == {"http://127.0.0.1:9/a.png"}
    assert "CONSOLE" in said


@pytest.mark.parametrize(("scheme", "paper"), [(0, (20, 24, 27)), (1, (255, 255, 255))])
def test_it_follows_the_theme(scheme: int, paper: tuple[int, int, int], report: Path, browse, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    browse(report, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={shot}", "--window-size=600,800")
    image = Image.open(shot).convert("RGB")
    assert image.getpixel((3, 3)) == paper
    shades = [shade for _, shade in image.convert("L").getcolors()]
    assert max(shades) - min(shades) > 150


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="There is no pdftotext: apt-get install poppler-utils")
def test_paper_is_white_and_everything_unfolds(report: Path, browse, tmp_path: Path) -> None:
    paper = tmp_path / "paper.pdf"
    browse(report, "--blink-settings=preferredColorScheme=0", "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    words = subprocess.run(["pdftotext", paper, "-"], capture_output=True, text=True, check=True).stdout
    assert "Every seed" in words and "epoch kept" in words and "temperature: 4.0" in words
    subprocess.run(["pdftoppm", "-png", "-r", "20", "-f", "1", "-l", "1", paper, tmp_path / "page"], check=True)
    (page,) = tmp_path.glob("page*.png")
    assert Image.open(page).convert("RGB").getpixel((3, 3)) == (255, 255, 255)
