"""`limbeck search`: another student for a row, found without target labels, then compared with the recipe's own."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import limbeck
from limbeck.core import RunError, UsageError
from limbeck.core.files import read_json, write_json, write_text
from limbeck.core.memory import freed_memory_kept
from limbeck.evaluation import assemble, check_results
from limbeck.recipes._check import check_name
from limbeck.recipes._console import Console
from limbeck.recipes._context import Context
from limbeck.recipes._folder import command_line, disk_faults, locked
from limbeck.recipes._load import load_plans
from limbeck.recipes._proof_stages import report_stage, student_record, study_of
from limbeck.recipes._run import begun, top_folder
from limbeck.recipes._search_candidates import Candidates
from limbeck.recipes._search_trials import ATTEMPTS, OWN, Trial, Trials, front_of
from limbeck.recipes._training_stages import student_folder, teacher_stage, ticker
from limbeck.recipes._yaml import write_yaml

__all__ = ["search_recipe"]

SCHEMA = 1

FOUND = "found.yaml"

FINALISTS = 4
"""At most so many students, beside the recipe's own, are trained with all seeds."""


def search_recipe(
    reference: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    runs: Path = Path("runs"),
    name: str | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> Path:
    """Search another student for a row of a recipe; returns the run folder, whose search.json says what was found.

    The recipe's key `search` says what is searched, under which budget. Trials are trained with the first seed and
    compared by a validator, without labels of the target; the best of them with all seeds. Then, once, the chosen
    student and the recipe's own are compared on the target's test split. What was done before is read, not done
    again, and a larger number of trials goes on from them.
    """
    plans = load_plans(reference, overrides)
    if plans[0].cell is not None:
        raise UsageError("A recipe to search has no 'matrix': search one pair of domains at a time.")
    if name is not None:
        check_name(name, "the run")
    plan, console = plans[0], Console(quiet)
    folder = top_folder(reference, runs, name, plan)
    with disk_faults(folder), locked(folder), freed_memory_kept():
        context = begun(plan, folder, fresh, console)
        search = _Search(context)
        if not search.is_done():
            search.carry_out()
        report_stage(context)
    return folder


class _Search:
    """One search at work."""

    def __init__(self, context: Context):
        self.context, self.folder = context, context.folder / "search"
        self.candidates = Candidates(context)
        self.settings = self.candidates.settings
        self.trials = Trials(self.candidates)
        asked = context.plan.tree.settings["search"].dump()
        self.ends = {key: asked.pop(key) for key in ("trials", "choose")}
        self.about = asked | {"row": self.candidates.row, "validator": self.trials.validator}
        self._check_same()

    def is_done(self) -> bool:
        path = self.context.folder / "search.json"
        return path.exists() and read_json(path)["asked"] == self.about | self.ends

    def carry_out(self) -> None:
        """The trials, the finalists with all seeds, the choice, and only then the labels."""
        if not self.trials.folder.exists():
            self.candidates.check_budget(ATTEMPTS, self.trials.drawn)
        write_json(self.folder / "space.json", self.about)
        own = self.candidates.at(self.candidates.own, self.trials.students(OWN))
        first, *others = self.context.plan.seeds
        teacher_stage(replace(own, plan=own.plan.trial(own.plan.rows, first)))
        with self.context.console.progress("search", self.settings.trials) as show:
            self.trials.run(show)
        finalists = self._finalists()
        if others:
            teacher_stage(own)
            finalists = self._trained(finalists, others)
        scores = {trial.number: self._scores(trial) for trial in finalists}
        chosen = self._chosen(finalists, scores)
        found = self._found(finalists, scores, chosen)
        if chosen is None:
            (self.folder / FOUND).unlink(missing_ok=True)
        else:
            found |= {"recipe": str(self._write_recipe(chosen)), "comparison": self._compared(chosen)}
        self.context.console.say(found["why"])
        write_json(self.context.folder / "search.json", found)

    def _check_same(self) -> None:
        path = self.folder / "space.json"
        known = read_json(path) if path.exists() else self.about
        changed = [key for key, value in self.about.items() if known.get(key) != value]
        if changed:
            raise UsageError(
                f"{self.folder} holds a search with another {' and another '.join(changed)}. Remove that folder, "
                "choose another name, or start anew: --fresh, in Python fresh=True."
            )

    def _front(self) -> list[Trial]:
        """The students within the budget that no other beats, cheapest first."""
        fit = [trial for trial in self.trials.done if self.candidates.allowed(trial.costs)]
        costs = self.candidates.costs
        return sorted(front_of(fit, costs), key=lambda trial: (trial.costs[costs[0]], trial.number))

    def _finalists(self) -> list[Trial]:
        """The recipe's own, then of the front the cheapest that score as well, then the best of the rest."""
        own = self.trials.done[OWN]
        front = [(trial.score or 0.0, trial) for trial in self._front() if trial is not own]
        least = float("inf") if self.settings.choose == "best" else own.score or 0.0
        as_good = [trial for score, trial in front if score >= least]
        rest = sorted((trial for score, trial in front if score < least), key=lambda trial: -(trial.score or 0.0))
        return [own, *[*as_good, *rest][:FINALISTS]]

    def _trained(self, finalists: Sequence[Trial], seeds: Sequence[int]) -> list[Trial]:
        """The finalists that could be trained with these seeds as well."""
        kept, total = [], len(finalists) * len(seeds)
        with self.context.console.progress("finalists", total) as show:
            for place, trial in enumerate(finalists):
                context = self.candidates.at(trial.values, self.trials.students(trial.number))
                try:
                    for number, seed in enumerate(seeds, place * len(seeds)):
                        self.candidates.train(context, seed, ticker(show, number, f"trial {trial.number}, seed {seed}"))
                except RunError as error:
                    if trial.number == OWN or isinstance(error.__cause__, OSError):
                        raise
                    self.context.console.say(f"trial {trial.number} is left out: {error}")
                else:
                    kept.append(trial)
        return kept

    def _scores(self, trial: Trial) -> list[float]:
        """The scores of a finalist, by seed."""
        context = self.candidates.at(trial.values, self.trials.students(trial.number))
        folders = [student_folder(context, self.candidates.row, seed) for seed in context.plan.seeds]
        return [read_json(folder / "done.json")["validators"][self.trials.validator] for folder in folders]

    def _chosen(self, finalists: Sequence[Trial], scores: Mapping[int, Sequence[float]]) -> Trial | None:
        """Another student than the recipe's own; None where none within the budget is preferred to it."""
        means = {number: statistics.fmean(values) for number, values in scores.items()}
        own, first = finalists[0], self.candidates.costs[0]
        fit = [trial for trial in finalists if self.candidates.allowed(trial.costs)]
        if not fit:
            return None
        best = max(fit, key=lambda trial: means[trial.number])
        if self.settings.choose == "smallest":
            as_good = [trial for trial in fit if means[trial.number] >= means[OWN]]
            best = min(as_good, key=lambda trial: trial.costs[first], default=best)
        return None if best is own else best

    def _found(
        self, finalists: Sequence[Trial], scores: Mapping[int, Sequence[float]], chosen: Trial | None
    ) -> dict[str, Any]:
        done = self.trials.done
        return {
            "schema": SCHEMA,
            "name": self.context.plan.name,
            "command": command_line(),
            "version": limbeck.__version__,
            "asked": self.about | self.ends,
            "row": self.candidates.row,
            "validator": self.trials.validator,
            "costs": self.candidates.costs,
            "budget": asdict(self.settings.budget),
            "seeds": self.context.plan.seeds,
            "trials": [asdict(trial) for trial in done],
            "front": [trial.number for trial in self._front()],
            "own": OWN,
            "finalists": [{"number": trial.number, "scores": list(scores[trial.number])} for trial in finalists],
            "chosen": None if chosen is None else chosen.number,
            "why": self._why(scores, chosen),
            "recipe": None,
            "comparison": None,
        }

    def _why(self, scores: Mapping[int, Sequence[float]], chosen: Trial | None) -> str:
        own, done = self.trials.done[OWN], self.trials.done
        tried = f"{len(done)} students were tried, {sum(trial.state == 'pruned' for trial in done)} given up early"
        if chosen is None:
            over = "" if self.candidates.allowed(own.costs) else ", though it is over the budget"
            return f"{tried}. None is preferred to the recipe's own student, which stays{over}."
        sizes = [
            f"{chosen.costs[name]:,} {name.replace('_', '-')} where the recipe's own has {own.costs[name]:,}"
            for name in self.candidates.counted
        ]
        mean = {number: statistics.fmean(values) for number, values in scores.items()}
        seeds = len(scores[OWN])
        return (
            f"{tried}. Chosen without target labels: trial {chosen.number}, {' and '.join(sizes)}; its score by "
            f"{self.trials.validator.replace('_', ' ')} is {mean[chosen.number]:.4f} against {mean[OWN]:.4f}, "
            f"{'one seed' if seeds == 1 else f'the mean of {seeds} seeds'}."
        )

    def _write_recipe(self, chosen: Trial) -> Path:
        """The whole recipe with the found values, as a file that `limbeck run` takes."""
        path, own = self.folder / FOUND, self.candidates.own
        head = [f"# {self.context.plan.name} with the student of trial {chosen.number} of `{command_line()}`:"]
        head += [
            f"#   {place}: {own[place]} → {value}" for place, value in chosen.values.items() if value != own[place]
        ]
        head += [f"# command: limbeck run {path}"]
        content = self.candidates.recipe(chosen.values)
        content["name"] = f"{self.context.folder.resolve().name}-found"
        write_text(path, "\n".join(head) + "\n" + write_yaml(content))
        return path

    def _compared(self, chosen: Trial) -> dict[str, Any]:
        """The chosen student and the recipe's own on the test splits, whose labels are opened for it."""
        rows = []
        for trial, name, title in (
            (self.trials.done[OWN], "own", "the recipe's own"),
            (chosen, "found", f"found, trial {chosen.number}"),
        ):
            context = self.candidates.at(trial.values, self.trials.students(trial.number))
            rows.append(replace(student_record(context, self.candidates.row), name=name, title=title))
        results = assemble(study_of(self.context, rows, "own", "comparison after the search"))
        check_results(results)
        return results
