"""Why a contest chose what it chose, in a plain paragraph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limbeck.methods import Evidence
from limbeck.recipes._context import Context

__all__ = ["explained"]


def explained(evidence: Evidence, context: Context, choice: Mapping[str, Any]) -> str:
    return str(choice)
