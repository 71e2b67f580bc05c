"""A mark for signatures: the part's name may stand in place of the parameter's."""

from __future__ import annotations

__all__ = ["Inline"]


class Inline:
    """`objective: Annotated[Objective, Inline()]` lets a recipe say `{kl: {…}, weight: 0.5}`.

    Without the mark the same would be `{objective: {kl: {…}}, weight: 0.5}`.
    """
