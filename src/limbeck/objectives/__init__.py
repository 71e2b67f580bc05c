"""Terms of a loss: what the student says, what the teacher knew, the batch → a scalar. One file, one objective."""

from limbeck.objectives._objective import Objective, Samples
from limbeck.objectives._schedule import Schedule, value_at
from limbeck.objectives._terms import Term, Terms

__all__ = ["Objective", "Samples", "Schedule", "Term", "Terms", "value_at"]
