"""A run's student at work on new data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limbeck.core import Spec, Task, UsageError, did_you_mean
from limbeck.core.files import read_json, write_text
from limbeck.core.tables import pd
from limbeck.core.weights import load_weights, read_weights
from limbeck.data import Preprocessing, restore_preprocessing
from limbeck.evaluation import advised_against, chosen_row
from limbeck.export import Export, Exported, is_export, read_manifest
from limbeck.networks import Observed
from limbeck.recipes._folder import run_folders
from limbeck.recipes._load import load_learner
from limbeck.recipes._networks import Frame, built_method
from limbeck.recipes._plan import Plan
from limbeck.recipes._rooms import part_class, room_of
from limbeck.training import predict

__all__ = ["Student", "load_export", "load_student", "predict_file", "row_told", "write_predictions"]


class Student:
    """A trained student with its preprocessing: raw inputs in, predictions out. Its network is in evaluation mode."""

    def __init__(self, row: str, seed: int, network: Observed, preprocessing: Preprocessing, task: Task):
        self.row = row
        self.seed = seed
        self.network = network
        self.preprocessing = preprocessing
        self.task = task

    def predict(self, inputs: Any) -> pd.DataFrame:
        """A row per sample: `prediction`, and `p(class)` of every class; for regression the value alone.

        inputs: what the data part read, such as a data frame with the training's columns.
        """
        logits = predict(self.network, self.preprocessing.transform(inputs))
        if not self.task.is_classification:
            return pd.DataFrame({"prediction": self.task.restore(logits).numpy()})
        probabilities = logits.softmax(1)
        names = [self.task.classes[int(place)] for place in probabilities.argmax(1)]
        columns = {f"p({name})": probabilities[:, i].numpy() for i, name in enumerate(self.task.classes)}
        return pd.DataFrame({"prediction": names, **columns})


def load_student(run: Path, row: str | None = None, seed: int | None = None, plan: Plan | None = None) -> Student:
    """The student of a run folder: of the row chosen without target labels, and of the first seed.

    plan: the run's, where its networks are objects from Python that recipe.yaml cannot name. The
    run's data are not needed.
    """
    if run_folders(run) != [run]:
        cells = ", ".join(map(str, run_folders(run)))
        hint = f"It holds the runs of a matrix: {cells}." if cells else "There is no recipe.yaml in it."
        raise UsageError(f"{run} is no run folder. {hint}")
    rows = _trained(run)
    row = row or _selected(run, rows)
    if row not in rows:
        raise UsageError(f"{run} has no trained row {row!r}. {did_you_mean(row, rows)}")
    seeds = sorted(int(path.parent.name) for path in (run / "students" / row).glob("*/weights.safetensors"))
    seed = seeds[0] if seed is None else seed
    if seed not in seeds:
        raise UsageError(f"Row {row!r} has no seed {seed}. It has: {', '.join(map(str, seeds))}.")
    state, about = read_weights(run / "students" / row / str(seed) / "weights.safetensors")
    frame = Frame(tuple(about["shape"]), Task.from_state(about["task"]))
    layers = {name: tuple(size) for name, size in about["knowledge"]["layers"].items()}
    plan = plan or load_learner(run, row)
    method = built_method(plan, row, seed, frame, Spec(about["knowledge"]["outputs"], layers))
    load_weights(method.evaluated.network, state, str(run))
    return Student(row, seed, method.evaluated.eval(), restore_preprocessing(about["preprocessing"]), frame.task)


def _trained(run: Path) -> list[str]:
    return sorted({path.parent.parent.name for path in (run / "students").glob("*/*/weights.safetensors")})


def _selected(run: Path, rows: list[str]) -> str:
    """The row that the results chose without target labels; the only one where there are no results."""
    if (run / "results.json").exists():
        results = read_json(run / "results.json")
        return chosen_row(results) or results["baseline"]
    if not rows:
        raise UsageError(f"{run} has no trained row yet: run the recipe to its end first.")
    if len(rows) == 1:
        return rows[0]
    raise UsageError(f"{run} is not evaluated, so no row is selected: name one with --row. {did_you_mean('', rows)}")


def row_told(run: Path, row: str | None = None) -> str:
    """The row that predicts or is exported, and that the baseline is better, where the test has shown it."""
    if is_export(run):
        return f"{read_manifest(run).get('row') or 'the student'}, as it was exported"
    row = row or _selected(run, _trained(run))
    results = read_json(run / "results.json") if (run / "results.json").exists() else None
    if results is None or advised_against(results) != row:
        return row
    baseline = results["baseline"]
    return f"{row}, which did worse on the test split than {baseline}: `--row {baseline}` takes that"


def load_export(folder: Path) -> Exported:
    """An exported folder at work, by the first of its models."""
    name = read_manifest(folder)["models"][0]["format"]
    room = room_of(Export)
    assert room is not None
    return Exported(folder, part_class(room, name)())


def write_predictions(out: Path, run: Path, data: Path, row: str | None = None, seed: int | None = None) -> int:
    """Write what `predict_file` gives as CSV; how many lines."""
    if out.suffix.lower() in (".parquet", ".gz", ".npy", ".npz", ".xlsx"):
        raise UsageError(
            f"Predictions are written as CSV, and {out} ends in {out.suffix}: name a .csv file with --out."
        )
    frame = predict_file(run, data, row, seed)
    write_text(out, frame.to_csv(index=False))
    return len(frame)


def predict_file(run: Path, data: Path, row: str | None = None, seed: int | None = None) -> pd.DataFrame:
    """Predictions for a file of the same kind as the run's data, one line a sample.

    run: a run folder, or an exported one, of which the exported file predicts.
    """
    if is_export(run):
        if row is not None or seed is not None:
            raise UsageError(f"{run} is an exported student, of one row and one seed: leave out --row and --seed.")
        exported = load_export(run)
        return exported.predict(exported.read(data))
    student = load_student(run, row, seed)
    return student.predict(student.preprocessing.read(data))
