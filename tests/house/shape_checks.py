"""The checker by which annotations are executed in tests: beartype, which meets one method at a time."""

from __future__ import annotations

from typing import Any, Self

from beartype import BeartypeConf, FrozenDict, beartype
from pydantic import TypeAdapter

__all__ = ["checked"]

# Hints that beartype cannot check here: `Self` means something inside a decorated class alone, and methods are what
# is decorated; pydantic's generic is no ordinary class.
_UNCHECKED = FrozenDict({Self: object, TypeAdapter[Any]: object})

# An int serves as a float, as it does for mypy.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True, hint_overrides=_UNCHECKED))
