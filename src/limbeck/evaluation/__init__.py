"""What a comparison shows: metrics, label-free validators, regret, paired statistics, pictures → results.json."""

from limbeck.evaluation.calibration import calibrated_information, information_and_clusters, source_temperature
from limbeck.evaluation.combined import combined
from limbeck.evaluation.embedding import embed
from limbeck.evaluation.feature_validators import (
    class_ami,
    classifier_uniformity,
    deep_embedded_validation,
    hopkins_statistic,
    reverse_validation,
    transfer_score,
)
from limbeck.evaluation.metrics import classification_metrics, headline, regression_metrics, reliability
from limbeck.evaluation.mixval import MixedConsistency, mixed_consistency, mixval
from limbeck.evaluation.prediction_validators import (
    batch_nuclear_norm,
    entropy,
    information_maximisation,
    soft_neighbourhood_density,
)
from limbeck.evaluation.records import ChainRecord, History, Reads, RowRecord, SeedRecord, StepRecord, Study
from limbeck.evaluation.regret import Regret, regret
from limbeck.evaluation.results import assemble, check_results
from limbeck.evaluation.statistics import (
    Comparison,
    bootstrap,
    compare,
    mcnemar,
    mean_std,
    paired_bootstrap,
    sample_scores,
    statistic_for,
    vote,
    wilson,
)
from limbeck.evaluation.validators import (
    ALL_VALIDATORS,
    BETWEEN_METHODS,
    DEFAULT_VALIDATOR,
    REGRESSION_VALIDATORS,
    VALIDATORS,
    Observations,
    Validator,
    applicable,
    better_on_source,
    source_validation,
    validate,
)
from limbeck.evaluation.verdict import advised_against, chosen_row, verdict

__all__ = [
    "ALL_VALIDATORS",
    "BETWEEN_METHODS",
    "DEFAULT_VALIDATOR",
    "REGRESSION_VALIDATORS",
    "VALIDATORS",
    "ChainRecord",
    "Comparison",
    "History",
    "MixedConsistency",
    "Observations",
    "Reads",
    "Regret",
    "RowRecord",
    "SeedRecord",
    "StepRecord",
    "Study",
    "Validator",
    "advised_against",
    "applicable",
    "assemble",
    "batch_nuclear_norm",
    "better_on_source",
    "bootstrap",
    "calibrated_information",
    "check_results",
    "chosen_row",
    "class_ami",
    "classification_metrics",
    "classifier_uniformity",
    "combined",
    "compare",
    "deep_embedded_validation",
    "embed",
    "entropy",
    "headline",
    "hopkins_statistic",
    "information_and_clusters",
    "information_maximisation",
    "mcnemar",
    "mean_std",
    "mixed_consistency",
    "mixval",
    "paired_bootstrap",
    "regression_metrics",
    "regret",
    "reliability",
    "reverse_validation",
    "sample_scores",
    "soft_neighbourhood_density",
    "source_temperature",
    "source_validation",
    "statistic_for",
    "transfer_score",
    "validate",
    "verdict",
    "vote",
    "wilson",
]
