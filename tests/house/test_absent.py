"""What is absent is skipped with the way to get it, and fails where CI says that nothing may be absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from house_tree import ROOT

TESTS = """
import pytest

def test_data(data_root):
    pass

@pytest.mark.extra("nowhere")
def test_extra():
    pass

def test_home():
    from pathlib import Path
    assert not list(Path.home().iterdir())
"""


def _pytest(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "pyproject.toml", folder)
    conftest = (ROOT / "tests" / "conftest.py").read_text("utf-8")
    (folder / "conftest.py").write_text(conftest.replace("EXTRAS = {", 'EXTRAS = {"nowhere": ["no_such_module"],'))
    (folder / "test_planted.py").write_text(TESTS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LIMBECK_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", f"pythonpath={ROOT}/tests/house", "-q", "."],
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_what_is_absent_is_skipped_with_the_way_to_get_it(tmp_path: Path) -> None:
    result = _pytest(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed, 2 skipped" in result.stdout
    for word in ("LIMBECK_DATA is not set", "usps/: usps.bz2", "pip install 'limbeck[nowhere]'"):
        assert word in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("folder", [{}, {"LIMBECK_DATA": "."}], ids=["no folder", "an empty folder"])
def test_where_nothing_may_be_absent_it_fails(folder: dict[str, str], tmp_path: Path) -> None:
    result = _pytest(tmp_path, LIMBECK_REQUIRE_DATA="1", LIMBECK_REQUIRE_EXTRAS="1", **folder)
    assert result.returncode == 1
    assert "1 passed, 2 errors" in result.stdout, result.stdout
