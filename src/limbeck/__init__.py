"""limbeck: cross-domain knowledge distillation and transfer, from a foreign model to a small proven student."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Transfer", "__version__", "transfer"]

if TYPE_CHECKING:
    from limbeck.api import Transfer, transfer


def __getattr__(name: str) -> Any:
    if name in ("transfer", "Transfer"):  # torch is imported when it is needed, not with the package
        from limbeck import api

        return getattr(api, name)
    raise AttributeError(f"module 'limbeck' has no attribute {name!r}")
