"""Distances between two samples of points. One file, one distance: a gap measure and, through `align`, a loss."""

from limbeck.distances._coupling import coupling
from limbeck.distances._distance import Distance
from limbeck.distances._points import squared_distances
from limbeck.distances._regroupable import Regroupable

__all__ = ["Distance", "Regroupable", "coupling", "squared_distances"]
