"""What every test gets: shapes checked while they run, one thread, fixed seeds, an empty home, the real data."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch reads it; the commands that tests start inherit it

import numpy as np
import pytest
import torch
from jaxtyping import install_import_hook

if importlib.util.find_spec("beartype"):  # absent only in the job without extras
    install_import_hook("limbeck", "shape_checks.checked")

torch.set_num_threads(1)

if importlib.util.find_spec("hypothesis"):
    from hypothesis import settings

    settings.register_profile("limbeck", derandomize=True, deadline=None, database=None)
    settings.load_profile("limbeck")

DATA = {
    "mnist": "the four IDX .gz files of MNIST, as distributed",
    "usps": "usps.bz2 and usps.t.bz2 from the LIBSVM data page",
    "heart_disease": "the processed tables of the four hospitals of UCI's Heart Disease, as cleveland.csv, "
    "hungary.csv, switzerland.csv and va_long_beach.csv with one header line",
}
"""The sets that tests read, and what to put into the folder of that name."""

EXTRAS = {
    "vision": ["torchvision", "timm"],
    "tensorboard": ["tensorboard"],
    "onnx": ["onnx", "onnxruntime", "onnxscript"],
    "executorch": ["executorch"],
    "skops": ["skops"],
    "serve": ["fastapi", "uvicorn"],
    "search": ["optuna"],
    "docs": ["pdoc"],
    "test": ["beartype", "httpx", "hypothesis"],
    "lint": ["importlinter", "mypy", "ruff"],
}
"""The modules by which an extra is known to be there."""


def _absent(reason: str, required: str) -> None:
    """Skip, or fail where the environment variable `required` says that nothing may be absent."""
    if os.environ.get(required) == "1":
        pytest.fail(f"{reason} ({required}=1)")
    pytest.skip(reason)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """What a test module draws when it is imported is always the same, whatever was imported before."""
    if isinstance(collector, pytest.Module):
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets that LIMBECK_DATA names."""
    folder = os.environ.get("LIMBECK_DATA")
    if not folder:
        wanted = "; ".join(f"{name}/: {what}" for name, what in DATA.items())
        _absent(f"LIMBECK_DATA is not set. Download into one folder, and name it: {wanted}", "LIMBECK_REQUIRE_DATA")
    root = Path(str(folder)).resolve()
    missing = "; ".join(f"{name}/: {what}" for name, what in DATA.items() if not (root / name).is_dir())
    if missing:
        _absent(f"LIMBECK_DATA={root} lacks sets. Download and put there: {missing}", "LIMBECK_REQUIRE_DATA")
    return root


@pytest.fixture(scope="session")
def chromium() -> str:
    """A headless browser's program."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        _absent("There is no Chromium: install it, for example by apt-get install chromium", "LIMBECK_REQUIRE_EXTRAS")
    return str(found)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what lacks its extra, before any fixture is made that would need it."""
    for mark in item.iter_markers("extra"):
        (extra,) = mark.args
        if any(importlib.util.find_spec(module) is None for module in EXTRAS[extra]):
            _absent(f"Needs the extra {extra}: pip install 'limbeck[{extra}]'", "LIMBECK_REQUIRE_EXTRAS")


@pytest.fixture(scope="session", autouse=True)
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        for variable in ("HOME", "USERPROFILE"):
            patch.setenv(variable, str(home))
        for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TORCH_HOME"):
            patch.delenv(variable, raising=False)
        yield


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
