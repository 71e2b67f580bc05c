"""How far two domains are apart, and where: distances, features, class shares, in numbers and plain sentences."""

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
from limbeck.gap.labels import label_shift
from limbeck.gap.ranking import Rating, Standing, rank_candidates, subsampled
from limbeck.gap.settings import GapSettings
from limbeck.gap.summary import gap_summary, simes
from limbeck.gap.transferability import SCORES, Candidate, Score, rate
from limbeck.gap.weights import density_ratio, source_shares

__all__ = [
    "SCORES",
    "Candidate",
    "GapSettings",
    "Judgement",
    "Labelled",
    "Rating",
    "Score",
    "Standing",
    "Unlabelled",
    "cross_validated",
    "dataset_distance",
    "density_ratio",
    "domain_separation",
    "feature_shift",
    "gap_summary",
    "judge",
    "label_shift",
    "measure_distances",
    "rank_candidates",
    "rate",
    "simes",
    "source_shares",
    "subsampled",
    "wilson",
]
