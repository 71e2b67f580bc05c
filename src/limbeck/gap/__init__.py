"""How far two domains are apart, and where: distances, features, class shares, in numbers and plain sentences."""

from limbeck.gap._decision import Judgement
from limbeck.gap.alignment import bandwidth_of, feature_gap
from limbeck.gap.beyond import beyond_shares, rows_of_shares
from limbeck.gap.dataset_distance import dataset_distance
from limbeck.gap.distances import measure_distances
from limbeck.gap.evidence import logme_of_values
from limbeck.gap.features import feature_shift
from limbeck.gap.judgement import (
    AtHome,
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
from limbeck.gap.summary import differs, gap_summary, simes
from limbeck.gap.transferability import SCORES, Candidate, Score, rate
from limbeck.gap.value_judgement import (
    LabelledValues,
    UnlabelledValues,
    constant_errors,
    cross_validated_errors,
    explained,
    judge_values,
    returned_share,
)
from limbeck.gap.weights import density_ratio, source_shares

__all__ = [
    "SCORES",
    "AtHome",
    "Candidate",
    "ClassShares",
    "GapSettings",
    "Judgement",
    "Labelled",
    "LabelledValues",
    "Rating",
    "Score",
    "Standing",
    "Unlabelled",
    "UnlabelledValues",
    "bandwidth_of",
    "beyond_shares",
    "class_shares",
    "constant_errors",
    "cross_validated",
    "cross_validated_errors",
    "dataset_distance",
    "density_ratio",
    "differs",
    "domain_separation",
    "explained",
    "feature_gap",
    "feature_shift",
    "gap_summary",
    "judge",
    "judge_values",
    "label_shift",
    "logme_of_values",
    "measure_distances",
    "rank_candidates",
    "rate",
    "returned_share",
    "rows_of_shares",
    "simes",
    "source_shares",
    "subsampled",
    "wilson",
]
