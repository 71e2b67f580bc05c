"""Where the numbers of a training go while it runs. One file, one tracker."""

from limbeck.trackers._tracker import Tracker

__all__ = ["ALWAYS", "Tracker"]

ALWAYS = ("jsonl",)
"""Every run has these, whatever the recipe asks for: the report reads them."""
