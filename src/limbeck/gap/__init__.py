"""How far two domains are apart, and where: distances, features, class shares, in numbers and plain sentences."""

from limbeck.gap.distances import measure_distances
from limbeck.gap.features import feature_shift
from limbeck.gap.labels import label_shift
from limbeck.gap.settings import GapSettings
from limbeck.gap.summary import gap_summary

__all__ = ["GapSettings", "feature_shift", "gap_summary", "label_shift", "measure_distances"]
