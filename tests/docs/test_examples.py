"""README and docs say what is true: their Python and their commands run, their links lead somewhere.

A page is executed from top to bottom in a folder of its own. ```python blocks share their names,
and a function `test_…` that one defines is called; in ```console blocks each line `$ limbeck …` is
run and must succeed; `<!-- file: NAME -->` before a block writes it to that file, and
`<!-- no-run -->` leaves one out.
"""

from __future__ import annotations

import io
import re
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from limbeck.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TRANSLATED = {"README.zh-CN.md": "README.md"}
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>no-run|file: (?P<file>\S+)) -->\n+)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    line: int
    language: str
    text: str
    run: bool
    file: str | None


def blocks(page: str) -> list[Block]:
    return [
        Block(
            page.count("\n", 0, match.start("text")) + 1,
            match["language"],
            match["text"],
            match["mark"] != "no-run",
            match["file"],
        )
        for match in FENCE.finditer(page)
    ]


def execute(page: str, name: str, folder: Path) -> int:
    """Run a page's blocks in `folder`; how many were run."""
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for block in blocks(page):
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
        if not block.run:
            continue
        if block.language == "python":
            _python(block, name, names)
            count += 1
        elif block.language == "console":
            count += sum(_command(line, f"{name}:{block.line}") for line in block.text.splitlines())
        elif block.language in ("yaml", "json"):
            yaml.safe_load(block.text)
    return count


def _python(block: Block, name: str, names: dict[str, Any]) -> None:
    known = set(names)
    exec(compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True), names)
    for test in sorted(set(names) - known):
        if test.startswith("test_"):
            names[test]()


def _command(line: str, place: str) -> bool:
    """Run a line of a console in this process, which spares the time of starting one."""
    if not line.startswith("$ limbeck "):
        return False
    said, code = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        patch.setattr(sys, "argv", shlex.split(line)[1:])
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert not code, f"{place}: {line}\n{said.getvalue()}"
    return True


def code(page: str) -> list[tuple[str, list[str]]]:
    """What `execute` would run of a page, without comments, which a translation has in its own words."""
    run = [block for block in blocks(page) if block.run and block.language in ("python", "console")]
    return [(block.language, [re.sub(r"\s*#.*", "", line) for line in block.text.splitlines()]) for block in run]


def broken_links(page: Path) -> list[str]:
    return [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]


LONG = ("tutorial.md", "search.md")
"""Many runs, one after another."""

ORIGINALS = [
    pytest.param(page, id=page.relative_to(ROOT).as_posix(), marks=pytest.mark.slow if page.name in LONG else ())
    for page in PAGES
    if page.name not in TRANSLATED
]


@pytest.mark.parametrize("page", ORIGINALS)
def test_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    execute(page.read_text("utf-8"), page.name, tmp_path)
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]  # a page's own modules are no other page's


@pytest.mark.parametrize("translation", TRANSLATED)
def test_a_translation_has_the_code_of_its_page(translation: str) -> None:
    own, original = (code((ROOT / name).read_text("utf-8")) for name in (translation, TRANSLATED[translation]))
    assert own == original and {language for language, _ in own} == {"python", "console"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken_links(page)


def test_readme_begins_with_the_two_commands() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        head = (ROOT / name).read_text("utf-8")[:3000]
        assert "make demo" in head and "make test" in head, name


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"({path.name})" not in index]
    assert set(missing) <= {"README.md"}


PAGE = """# Page

```python
x = 1
```

<!-- no-run -->
```python
x = 1 / 0
```

<!-- file: sub/data.csv -->
```
a,b
```

```python
from pathlib import Path
Path("seen").write_text(Path("sub/data.csv").read_text() + str(x))
```
"""


def test_blocks_run_in_order_and_share_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert execute(PAGE, "page.md", tmp_path) == 2
    assert (tmp_path / "seen").read_text() == "a,b\n1"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```python\n1 / 0\n```\n", ZeroDivisionError),
        ("```python\ndef test_it():\n    1 / 0\n```\n", ZeroDivisionError),
        ("```console\n$ limbeck nonsense\n```\n", AssertionError),
        ("```yaml\na: [1\n```\n", yaml.YAMLError),
    ],
)
def test_an_untrue_example_is_flagged(text: str, fault: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(fault):
        execute(text, "page.md", tmp_path)


def test_a_broken_link_is_flagged(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[there](page.md#head) [elsewhere](https://example.org) [nowhere](absent.md)")
    assert broken_links(page) == ["absent.md"]
