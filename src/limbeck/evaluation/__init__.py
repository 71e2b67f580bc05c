"""What a comparison shows: metrics, label-free validators, regret, paired statistics, pictures → results.json."""

from limbeck.evaluation.embedding import embed
from limbeck.evaluation.metrics import classification_metrics, headline, regression_metrics, reliability
from limbeck.evaluation.records import History, RowRecord, SeedRecord, Study
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
)
from limbeck.evaluation.validators import (
    REGRESSION_VALIDATORS,
    VALIDATORS,
    Observations,
    entropy,
    information_maximisation,
    soft_neighbourhood_density,
    source_validation,
    validate,
)
from limbeck.evaluation.verdict import chosen_row, verdict

__all__ = [
    "REGRESSION_VALIDATORS",
    "VALIDATORS",
    "Comparison",
    "History",
    "Observations",
    "Regret",
    "RowRecord",
    "SeedRecord",
    "Study",
    "assemble",
    "bootstrap",
    "check_results",
    "chosen_row",
    "classification_metrics",
    "compare",
    "embed",
    "entropy",
    "headline",
    "information_maximisation",
    "mcnemar",
    "mean_std",
    "paired_bootstrap",
    "regression_metrics",
    "regret",
    "reliability",
    "sample_scores",
    "soft_neighbourhood_density",
    "source_validation",
    "statistic_for",
    "validate",
    "verdict",
    "vote",
]
