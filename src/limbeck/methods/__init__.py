"""How a student learns. One file, one method."""

from limbeck.methods._evidence import Candidates, Evidence
from limbeck.methods._method import Method, Stream, Update

__all__ = ["DEFAULT", "SOURCE_FREE", "Candidates", "Evidence", "Method", "Stream", "Update"]

DEFAULT = "source_only"
"""How a teacher is trained where the recipe does not say, and what an adapted student is measured against."""

SOURCE_FREE = "dine"
"""What a student is measured against where no sample of the source may be read."""
