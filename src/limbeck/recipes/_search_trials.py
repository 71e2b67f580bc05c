"""The trials of a search: suggested by Optuna, trained one after another, each kept in a folder of its own."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from limbeck.core import RunError, UsageError, missing_extra, stream_seed
from limbeck.core.files import read_json, write_json
from limbeck.recipes._check import ON_SOURCE
from limbeck.recipes._search_candidates import Candidates
from limbeck.recipes._training_stages import student_folder, ticker, validator_of

__all__ = ["OWN", "Trial", "Trials", "front_of", "is_behind"]

OWN = 0
"""The number of the trial with the recipe's own values."""

RANDOM = 8
"""So many trials are drawn at random before the sampler looks at what they gave."""

INFORMED, ATTEMPTS = 20, 200
"""So often another suggestion is asked for, in the place of one that is known or cannot be, then one at random."""

RIVALS = 3
"""So many others must have come as far before a trial is given up."""

SPARED = 1 / 3
"""In this first share of its epochs no trial is given up."""


@dataclass(frozen=True)
class Trial:
    """One trial: what was drawn (None where the space lacks it), the values by place, what its student costs.

    state: "training" until it is known how it ended. score: at the chosen checkpoint, None where there is none.
    epochs and scores: of its evaluations. reason: why it failed.
    """

    number: int
    parameters: dict[str, Any] | None
    values: dict[str, Any]
    costs: dict[str, float]
    state: Literal["training", "finished", "pruned", "failed"] = "training"
    score: float | None = None
    epochs: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    seconds: float = 0.0
    reason: str | None = None

    def reached(self, epoch: int) -> float | None:
        """The best score up to an epoch; None where the training did not come so far."""
        if not self.epochs or self.epochs[-1] < epoch:
            return None
        return max(score for own, score in zip(self.epochs, self.scores, strict=True) if own <= epoch)


class Trials:
    """The trials that are there, and the next ones: each follows from the finished ones and the seed alone."""

    def __init__(self, candidates: Candidates):
        self.candidates, self.settings = candidates, candidates.settings
        context = candidates.context
        self.folder, self.seed = context.folder / "search" / "trials", context.plan.seeds[0]
        row = context.plan.rows[candidates.row].make()
        self.validator = self.settings.validator or validator_of(context, row.validator)
        if row.method.source_free and self.validator == ON_SOURCE:
            raise UsageError(
                f"search.validator: {candidates.row!r} may see no sample of the source, which {ON_SOURCE} reads."
            )
        self.optuna = _optuna()
        self.done: list[Trial] = []

    def run(self, show: Callable[[float, str], None]) -> None:
        """Go on to the number of trials that the recipe asks for, or until the space has no other student."""
        while len(self.done) < self.settings.trials:
            number = len(self.done)
            trial = self._kept(number) or self._proposed(number)
            if trial is None:
                self.candidates.context.console.say(f"The space has no further student: {number} trials.")
                return
            if trial.state == "training":
                self._keep(trial)
                trial = self._trained(trial, ticker(show, number, f"trial {number}"))
                self._keep(trial)
                self.candidates.context.console.say(_told(trial))
            self.done.append(trial)

    def students(self, number: int) -> str:
        """Where the students of a trial lie, in the run's folder."""
        return f"search/trials/{number}"

    def drawn(self, number: int) -> dict[str, Any]:
        """Values at random, the same for the same number."""
        return self._suggested("random", number, informed=False)[1]

    def _kept(self, number: int) -> Trial | None:
        path = self.folder / str(number) / "trial.json"
        return Trial(**read_json(path)) if path.exists() else None

    def _keep(self, trial: Trial) -> None:
        write_json(self.folder / str(trial.number) / "trial.json", asdict(trial))

    def _proposed(self, number: int) -> Trial | None:
        """A student that was not tried yet and is within the budget; None where there is none to be found."""
        candidates = self.candidates
        if number == OWN:
            own = candidates.own
            return Trial(OWN, candidates.space.parameters(own), own, candidates.measured(own))
        known = [trial.values for trial in self.done]
        for attempt in range(ATTEMPTS):
            parameters, values = self._suggested(number, attempt, informed=attempt < INFORMED)
            if values in known:
                continue
            known.append(values)
            try:
                costs = candidates.measured(values)
                if candidates.allowed(costs):
                    candidates.check(values)
                    return Trial(number, parameters, values, costs)
            except UsageError:  # such as a depth that the network cannot have: not a student of this space
                continue
        return None

    def _suggested(self, *stream: str | int, informed: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is drawn and the values, by the finished trials and the seed of this stream."""
        samplers, seed = self.optuna.samplers, stream_seed(self.settings.seed, "search", *stream) % 2**32
        sampler = samplers.RandomSampler(seed=seed)
        if informed:
            sampler = samplers.TPESampler(seed=seed, n_startup_trials=RANDOM, multivariate=False)
        directions = ["maximize", *("minimize" for _ in self.candidates.costs)]
        study = self.optuna.create_study(directions=directions, sampler=sampler)
        study.add_trials(
            [self._as_optunas(trial) for trial in self.done if trial.parameters and trial.score is not None]
        )
        drawing = study.ask()
        values = self.candidates.space.drawn(drawing)
        return dict(drawing.params), values

    def _as_optunas(self, trial: Trial) -> Any:
        """A finished trial as Optuna keeps it; of one that was given up, the score that it had."""
        fixed = self.optuna.trial.FixedTrial(trial.parameters)
        self.candidates.space.drawn(fixed)  # tells it from which ranges the parameters came
        values = [trial.score, *(trial.costs[name] for name in self.candidates.costs)]
        return self.optuna.trial.create_trial(params=trial.parameters, distributions=fixed.distributions, values=values)

    def _trained(self, trial: Trial, tick: Callable[[float], None]) -> Trial:
        candidates = self.candidates
        context = candidates.at(trial.values, self.students(trial.number))
        epochs = context.plan.training(context.plan.rows[candidates.row]).epochs
        hopeless = partial(self._hopeless, trial, epochs)
        try:
            done = candidates.train(context, self.seed, tick, hopeless)
        except RunError as error:
            if trial.number == OWN or isinstance(error.__cause__, OSError):  # the disk, which is not the trial's fault
                raise
            return replace(trial, state="failed", reason=str(error))
        folder = student_folder(context, candidates.row, self.seed)
        with np.load(folder / "history.npz") as history:
            scores = history[f"validator/{self.validator}"].tolist()
            evaluated = history["epochs"].tolist()
        pruned = done["stopped_early"] and hopeless(evaluated, {self.validator: scores})
        return replace(
            trial,
            state="pruned" if pruned else "finished",
            score=done["validators"][self.validator],
            epochs=evaluated,
            scores=scores,
            seconds=done["seconds"],
        )

    def _hopeless(self, trial: Trial, total: int, epochs: Sequence[int], scores: Mapping[str, Sequence[float]]) -> bool:
        """Whether a trial is given up after its last evaluation, of `total` epochs."""
        if not self.settings.prune or trial.number == OWN or not SPARED * total <= epochs[-1] < total:
            return False
        return is_behind(max(scores[self.validator]), epochs[-1], trial.costs, self.done)


def is_behind(best: float, epoch: int, costs: Mapping[str, float], others: Sequence[Trial]) -> bool:
    """Whether a score is below the median of those that the others had by this epoch, of whom cost no more.

    Optuna's pruners know one objective alone: a small student would be given up for being worse than larger ones.
    """
    cheaper = [other for other in others if all(other.costs[name] <= cost for name, cost in costs.items())]
    rivals = [reached for other in cheaper if (reached := other.reached(epoch)) is not None]
    return len(rivals) >= RIVALS and best < statistics.median(rivals)


def front_of(trials: Sequence[Trial], costs: Sequence[str]) -> list[Trial]:
    """Of the finished trials those that no other beats: in the score or a cost, and is as good in the rest."""
    points = [
        (trial, (-trial.score, *(trial.costs[name] for name in costs))) for trial in trials if trial.score is not None
    ]
    points = [(trial, point) for trial, point in points if trial.state == "finished"]

    def beaten(mine: tuple[float, ...]) -> bool:
        return any(other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for _, other in points)

    return [trial for trial, point in points if not beaten(point)]


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise missing_extra("Optuna", "search", "limbeck search") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _told(trial: Trial) -> str:
    costs = ", ".join(f"{cost:,} {name.replace('_', '-')}" for name, cost in trial.costs.items())
    if trial.state == "failed":
        return f"trial {trial.number}: {costs}; failed: {trial.reason}"
    ended = f", given up after epoch {trial.epochs[-1]}" if trial.state == "pruned" else ""
    return f"trial {trial.number}: {costs}; score {trial.score:.4f}{ended}"
