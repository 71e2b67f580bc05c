"""The reference is made from the docstrings, and has a page for every part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.extra("docs")
def test_the_reference_has_a_page_for_every_public_module(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "docs" / "make_reference.py"), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "does not resolve" not in result.stderr, result.stderr
    files = [path.relative_to(ROOT / "src").with_suffix("") for path in (ROOT / "src" / "limbeck").rglob("*.py")]
    public = [path for path in files if not any(word.startswith("_") for word in path.parts)]
    assert Path("limbeck/objectives/kl") in public
    for path in public:
        assert (tmp_path / f"{path}.html").exists(), path
    room = (tmp_path / "limbeck" / "objectives.html").read_text("utf-8")
    assert "objectives/kl.html" in room, "a room leads to its parts"
