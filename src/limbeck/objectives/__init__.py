"""Terms of a loss: what the student says, what the teacher knew, the batch → a scalar. One file, one objective."""

from limbeck.objectives._objective import Objective, Samples

__all__ = ["Objective", "Samples"]
