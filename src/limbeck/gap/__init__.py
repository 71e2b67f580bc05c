"""How far two domains are apart, and where: distances, features, class shares, in numbers and plain sentences."""

from limbeck.gap.alignment import bandwidth_of, feature_gap
from limbeck.gap.dataset_distance import dataset_distance
from limbeck.gap.distances import measure_distances
from limbeck.gap.features import feature_shift
from limbeck.gap.judgement import (
    Judgement,
    Labelled,
    Unlabelled,
    cross_validated,
    domain_separation,
    judge,
    wilson,
)
from limbeck.gap.labels import ClassShares, class_shares, label_shift
from limbeck.gap.ranking import Rating, Standing, rank_candidates, subsampled
from limbeck.gap.settings import GapSettings
from limbeck.gap.summary import gap_summary
from limbeck.gap.transferability import SCORES, Candidate, Score, rate

__all__ = [
    "SCORES",
    "Candidate",
    "ClassShares",
    "GapSettings",
    "Judgement",
    "Labelled",
    "Rating",
    "Score",
    "Standing",
    "Unlabelled",
    "bandwidth_of",
    "class_shares",
    "cross_validated",
    "dataset_distance",
    "domain_separation",
    "feature_gap",
    "feature_shift",
    "gap_summary",
    "judge",
    "label_shift",
    "measure_distances",
    "rank_candidates",
    "rate",
    "subsampled",
    "wilson",
]
