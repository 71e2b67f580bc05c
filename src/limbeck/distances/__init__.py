"""Distances between two samples of points. One file, one distance: a gap measure and, through `align`, a loss."""

from limbeck.distances._distance import Distance

__all__ = ["Distance"]
