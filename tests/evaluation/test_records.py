import dataclasses

import pytest
import torch

from limbeck.core import Task, UsageError
from limbeck.evaluation import RowRecord, SeedRecord, Study

SEED = SeedRecord(0, None, {}, 0.0, None, torch.zeros(2, 2), torch.zeros(3, 2))


def _row(name, kind="student", seeds=(SEED,)):
    return RowRecord(name, kind, name, "source_only", 0, None, None, None, seeds)


def _study(**changes):
    settings = dict.fromkeys(("name", "command", "version", "source_name", "target_name", "validator"), "x")
    settings |= {
        "task": Task("classification", ("a", "b")),
        "labelled_per_class": 0,
        "rows": [_row("teacher", "teacher"), _row("alone")],
        "baseline": "alone",
        "test_labels": None,
        "source_test_labels": torch.tensor([0, 1, 1]),
        "selection_labels": None,
        "openings": [],
    }
    return Study(**{**settings, **changes})


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        _study().baseline = "other"


@pytest.mark.parametrize(("baseline", "hint"), [("alon", "Did you mean 'alone'"), ("teacher", "must be a student row")])
def test_the_baseline_is_a_student_row(baseline, hint):
    with pytest.raises(UsageError, match=hint):
        _study(baseline=baseline)


def test_a_row_has_a_seed():
    with pytest.raises(UsageError, match="row alone must be at least one"):
        _row("alone", seeds=())
