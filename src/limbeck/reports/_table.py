"""The lines of the tables, every number as it is printed."""

from __future__ import annotations

from dataclasses import dataclass

from limbeck.reports._numbers import NONE, Measure, count, duration, p_value, ratio, significant, size
from limbeck.reports._run import Json, Run
from limbeck.reports._tracks import sizes

__all__ = ["KeyFigure", "Line", "Metrics", "comparison", "cost", "key_figures", "metrics", "seeds"]

KINDS = {"teacher": "teacher", "upper_bound": "upper bound"}


@dataclass(frozen=True)
class KeyFigure:
    """One figure of the band below the verdict."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Line:
    """A line of the comparison."""

    title: str
    method: str
    marks: list[str]
    kind: str
    selected: bool
    labels: str
    score: str
    difference: str
    interval: str
    p: str
    mcnemar: str
    regret: str
    parameters: str
    size: str
    milliseconds: str
    training: str


@dataclass(frozen=True)
class Metrics:
    """All metrics on one domain: their titles, and for each row its title and values."""

    domain: str
    titles: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Cost:
    """What a row costs beside the teacher; `length` is its size in percent of the largest."""

    title: str
    size: str
    smaller: str
    milliseconds: str
    faster: str
    training: str
    length: float | None


def comparison(run: Run) -> list[Line]:
    """One line for each row, in the order of results.json."""
    return [_line(run, row) for row in run.rows]


def key_figures(run: Run) -> list[KeyFigure]:
    """Baseline → selected row, the teacher, and what the selected row costs."""
    if run.results is None:
        return []
    row = run.selected or run.baseline
    figures = [_headline(run, run.results)]
    if run.teacher is not None:
        value = run.measure.value((run.teacher["target"] or run.teacher["source"])[run.measure.name]["mean"])
        label = "teacher" if run.teachers == 1 else f"best of {run.teachers} teachers"
        figures.append(KeyFigure(label, value + run.measure.unit, run.teacher["title"]))
    if row is not None:
        figures += [_size(row, run.teacher), _time(row, run.teacher)]
    k = (row or run.results)["labelled_per_class"]
    unit = "target labels per class" if run.results["task"]["kind"] == "classification" else "target labels"
    figures.append(KeyFigure(unit, str(k), "seen by its training" if k else "its training saw none"))
    return figures


def metrics(run: Run) -> list[Metrics]:
    """Every metric of every row, on the target's and on the source's test split."""
    tables = []
    for where in ("target", "source"):
        rows = [row for row in run.rows if row[where]]
        if run.results is not None and rows:
            measures = [Measure(name) for name in rows[0][where]]
            values = [(row["title"], [m.of(row[where], len(row["seeds"])) for m in measures]) for row in rows]
            titles = [measure.title + (", %" if measure.percent else "") for measure in measures]
            tables.append(Metrics(f"{run.results[where]} ({where})", titles, values))
    return tables


def seeds(run: Run) -> list[tuple[str, int, str, str, str, str, str]]:
    """For each training: row, seed, kept and best epoch, regret, the leading metric, time."""
    lines = []
    for row in run.rows:
        for seed in row["seeds"]:
            scores = seed["target"] or seed["source"]
            epochs = [NONE if seed[key] is None else str(seed[key]) for key in ("epoch", "oracle_epoch")]
            measured = [run.measure.value(seed["regret"]), run.measure.value(scores[run.measure.name])]
            lines.append((row["title"], seed["seed"], *epochs, *measured, duration(seed["train_seconds"])))
    return lines


def cost(run: Run) -> list[Cost]:
    """Sizes and times of every row beside those of the teacher."""
    lengths, teacher = sizes([row["bytes"] for row in run.rows]), run.teacher or {}
    return [
        Cost(
            title=row["title"],
            size=size(row["bytes"]),
            smaller=NONE if row is run.teacher else ratio(row["bytes"], teacher.get("bytes")),
            milliseconds=_milliseconds(row),
            faster=NONE
            if row is run.teacher
            else ratio(row["milliseconds_per_sample"], teacher.get("milliseconds_per_sample")),
            training=duration(row["train_seconds"]),
            length=length,
        )
        for row, length in zip(run.rows, lengths, strict=True)
    ]


def _line(run: Run, row: Json) -> Line:
    versus, regret = row["versus_baseline"], row["regret"]
    difference, interval = NONE, ""
    if versus is not None:
        difference, interval = run.measure.difference(versus["difference"], versus["low"], versus["high"])
    selected = run.is_selected(row["name"])
    several = len(row["seeds"]) > 1
    return Line(
        title=row["title"],
        method=row["method"],
        marks=_marks(run, row, selected),
        kind=row["kind"],
        selected=selected,
        labels="all" if row["kind"] == "upper_bound" else str(row["labelled_per_class"]),
        score=run.measure.of(row["target"] or row["source"], len(row["seeds"])),
        difference=difference,
        interval=interval,
        p=p_value(versus["p_value"] if versus else None),
        mcnemar=p_value(versus["mcnemar_p_value"]) if versus and versus["mcnemar_p_value"] is not None else "",
        regret=run.measure.spread(regret["mean"], regret["std"] if several else None) if regret else NONE,
        parameters=count(row["parameters"]),
        size=size(row["bytes"]),
        milliseconds=significant(row["milliseconds_per_sample"], 2),
        training=duration(row["train_seconds"]),
    )


def _marks(run: Run, row: Json, selected: bool) -> list[str]:
    """The words that say what part a row plays."""
    marks = [KINDS[row["kind"]]] if row["kind"] in KINDS else []
    if run.results is not None and row["name"] == run.results["baseline"]:
        marks.append("baseline")
    if selected:
        marks.append("selected")
    if run.best is not None and row["name"] == run.best["name"]:
        marks.append("best on test")
    if row["kind"] == "student" and row["labelled_per_class"]:
        marks.append("used target labels")
    return marks


def _headline(run: Run, results: Json) -> KeyFigure:
    """The leading metric: on the target's test split, or on the source's where the target has no labels."""
    where = "target" if results["target_labels_known"] else "source"
    rows = [row for row in (run.baseline, run.selected) if row is not None]
    scores = " → ".join(run.measure.value(row[where][run.measure.name]["mean"]) for row in rows)
    label = f"{run.measure.title} on {results[where]}"
    return KeyFigure(label, scores + run.measure.unit, " → ".join(row["title"] for row in rows))


def _size(row: Json, teacher: Json | None) -> KeyFigure:
    if teacher is None or teacher["bytes"] is None:
        return KeyFigure("size", size(row["bytes"]), f"{count(row['parameters'])} parameters")
    note = f"{size(row['bytes'])} against {size(teacher['bytes'])}"
    return KeyFigure("size, student to teacher", ratio(row["bytes"], teacher["bytes"]), note)


def _time(row: Json, teacher: Json | None) -> KeyFigure:
    known = teacher is not None and teacher["milliseconds_per_sample"] is not None
    note = f"teacher {_milliseconds(teacher)}" if known else "on the machine of the run"
    return KeyFigure("time a sample", _milliseconds(row), note)


def _milliseconds(row: Json | None) -> str:
    if row is None or row["milliseconds_per_sample"] is None:
        return NONE
    return f"{significant(row['milliseconds_per_sample'], 2)} ms"
