"""The words that every room speaks: batches, outputs, knowledge, domains, errors, seeds, draws, files."""

from limbeck.core.batch import FEATURES, Batch, Knowledge, Outputs
from limbeck.core.domain import Domain, DomainView, Opening
from limbeck.core.draws import Draws
from limbeck.core.errors import (
    LimbeckError,
    RunError,
    SealedLabelsError,
    UsageError,
    bad_value,
    did_you_mean,
    missing_extra,
)
from limbeck.core.inline import Inline
from limbeck.core.seeds import SeedStream, generator, resampled, some_of, stream_seed
from limbeck.core.task import Spec, Task
from limbeck.core.wording import plain

__all__ = [
    "FEATURES",
    "Batch",
    "Domain",
    "DomainView",
    "Draws",
    "Inline",
    "Knowledge",
    "LimbeckError",
    "Opening",
    "Outputs",
    "RunError",
    "SealedLabelsError",
    "SeedStream",
    "Spec",
    "Task",
    "UsageError",
    "bad_value",
    "did_you_mean",
    "generator",
    "missing_extra",
    "plain",
    "resampled",
    "some_of",
    "stream_seed",
]
