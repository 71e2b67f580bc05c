"""Joint distribution adaptation: the means of the domains and of their classes brought together."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor

from limbeck.core import Spec, Task, UsageError, bad_value
from limbeck.methods import Candidates, Evidence
from limbeck.methods._components import mean_differences, transfer_directions
from limbeck.methods._shallow import Adapted, Shallow
from limbeck.networks import INPUTS, Observed

__all__ = ["Jda"]


class Jda(Shallow):
    """A linear model in directions that bring together the domains' means, and those of each class.

    The target's classes are guessed by the linear model, of the source alone at first, then in the directions of
    the round before. Paper: Long et al. 2013, eq. 8 and algorithm 1, with a linear kernel; there a nearest
    neighbour guesses. For classes only.

    components: at most the width of the features. penalty: on the squared length of a direction.
    rounds: of guessing. The other settings: as every shallow
    method's.

    >>> Jda(rounds=0)
    Traceback (most recent call last):
    limbeck.core.errors.UsageError: The 'rounds' of jda must be ≥ 1. Got 0.
    """

    def __init__(
        self,
        components: Annotated[int, Ge(1)] = 20,
        penalty: Annotated[float, Gt(0)] = 100.0,
        rounds: Annotated[int, Ge(1)] = 10,
        standardise: Literal["each", "source"] = "each",
        inverse_penalty: Annotated[float, Gt(0)] = 0.1,
        layer: str = INPUTS,
    ):
        super().__init__(standardise, inverse_penalty, layer)
        self.positive(penalty=penalty)
        for name, value in (("components", components), ("rounds", rounds)):
            if value < 1:
                raise bad_value(name, self.name, "≥ 1", value)
        self.components = components
        self.penalty = penalty
        self.rounds = rounds

    @classmethod
    def candidates(cls, evidence: Evidence) -> Candidates:
        """For rows of numbers."""
        return cls.offered(evidence) if evidence.task.is_classification else {}

    def build(self, student: Observed, task: Task, spec: Spec, knowledge: Spec) -> None:
        if not task.is_classification:
            raise UsageError("jda is for classes, and the labels are values to regress. Use tca.")
        super().build(student, task, spec, knowledge)

    def kept(self, width: int) -> int:
        return min(self.components, width)

    def adapt(self, x: Float[Tensor, "n d"], labels: Tensor, y: Float[Tensor, "m d"]) -> Adapted:
        guessed = self.linear(x, labels)(y).argmax(1)
        for _ in range(self.rounds):
            differences = mean_differences(x, y, labels, guessed)
            found = transfer_directions(x, y, differences, self.penalty, self.kept(x.shape[1]))
            before, guessed = guessed, self.linear(x @ found, labels)(y @ found).argmax(1)
            if guessed.equal(before):
                break
        return Adapted(x @ found, labels, map=found.T)
