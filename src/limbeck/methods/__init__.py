"""How a student learns. One file, one method."""

from limbeck.methods._method import Method, Stream, Update

__all__ = ["DEFAULT", "Method", "Stream", "Update"]

DEFAULT = "source_only"
"""How a teacher is trained where the recipe does not say."""
