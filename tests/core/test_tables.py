"""What reads no table does not wait for pandas."""

from __future__ import annotations

import subprocess
import sys

import pandas

from limbeck.core.tables import pd

CHECK = """
import sys
from limbeck.recipes import load_plans
load_plans("digits")
slow = {"pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "triton", "onnx", "onnxruntime"} & sys.modules.keys()
assert not slow, slow
"""


def test_it_is_pandas() -> None:
    assert pd.DataFrame is pandas.DataFrame and pd.api.types is pandas.api.types


def test_a_check_loads_none_of_what_only_a_run_needs() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
