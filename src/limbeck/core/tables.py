"""pandas as `pd`, loaded when something of it is first used: most of what limbeck does reads no table."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["pd"]


class _Pandas:
    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("pandas"), name)


if TYPE_CHECKING:
    import pandas as pd
else:
    pd = _Pandas()
