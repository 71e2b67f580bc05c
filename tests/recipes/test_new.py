"""A first recipe for tables that nobody here has seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from limbeck.core import UsageError
from limbeck.core.files import read_json
from limbeck.recipes import load_plans, run_recipe, write_new

QUICK = ["training.epochs=1", "seeds=1", "gap.distances=coral"]
STAGES = ["gap", "teacher", "contest", "knowledge", "student", "evaluation"]
Write = Callable[..., tuple[Path, list[str]]]


@pytest.fixture
def new(tmp_path: Path) -> Write:
    """Write a recipe into `tmp_path/mine.yaml`; its path and the notes."""

    def write(source: Path, target: Path | None = None, label: str | None = None, domain: str | None = None) -> Any:
        out = tmp_path / "mine.yaml"
        out.unlink(missing_ok=True)
        return out, write_new(source, target, label, domain, out)

    return write


def results(path: Path, tmp_path: Path) -> dict[str, Any]:
    """What the recipe gives as it is, with fewer epochs."""
    (plan,) = load_plans(path)
    assert plan.dump() == load_plans(plan.dump())[0].dump()
    (folder,) = run_recipe(path, runs=tmp_path / "runs", overrides=QUICK, stages=STAGES, fresh=True, quiet=True)
    return read_json(folder / "results.json")


def test_two_files_with_other_columns(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    path, notes = new(*tables, "sick")
    assert notes[0] == "label: sick"
    assert "classes: no, yes" in notes
    assert any("only_far" in note for note in notes)
    assert path.read_text().startswith("# near → far: ")
    found = results(path, tmp_path)
    assert (found["source"], found["target"], found["target_labels_known"]) == ("near", "far", True)
    chosen = ["auto"] if found["choice"]["winner"] != "alone" else []
    assert [row["name"] for row in found["rows"]] == ["teacher", "alone", *chosen, "upper_bound"]


@pytest.mark.parametrize("name", ["Label", "target", "y"])
def test_a_label_is_guessed_by_its_name(new: Write, tables: tuple[Path, Path], name: str) -> None:
    for path in tables:
        pd.read_csv(path).rename(columns={"sick": name}).to_csv(path, index=False)
    assert new(*tables)[1][0] == f"label: {name} (guessed; --label names another)"


def test_a_threshold_is_a_label(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    path, notes = new(*tables, "price > 1.5")
    assert "classes: price <= 1.5, price > 1.5" in notes
    assert results(path, tmp_path)["task"]["classes"] == ["price <= 1.5", "price > 1.5"]


@pytest.mark.slow
def test_a_target_without_the_label_column(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    frame = pd.read_csv(tables[1])
    frame.drop(columns="sick").to_csv(tables[1], index=False)
    path, notes = new(*tables, "sick")
    assert "the target has no labels: results cannot be proven there, only chosen" in notes
    found = results(path, tmp_path)
    assert not found["target_labels_known"] and "upper_bound" not in [row["name"] for row in found["rows"]]
    frame.assign(sick=np.nan).to_csv(tables[1], index=False)  # the column is there and empty
    path, notes = new(*tables, "sick")
    assert "the target has no labels: results cannot be proven there, only chosen" in notes
    assert not results(path, tmp_path)["target_labels_known"]


def test_a_value_is_regressed(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    path, notes = new(*tables, "price")
    assert "a value is predicted (regression)" in notes
    found = results(path, tmp_path)
    assert found["task"]["kind"] == "regression" and found["metric"] == "rmse"


def test_rows_that_may_be_of_one_person_are_told(new: Write, tables: tuple[Path, Path]) -> None:
    def told(numbers: np.ndarray) -> bool:
        for path in tables:
            pd.read_csv(path).drop(columns="id", errors="ignore").assign(id=numbers[:size]).to_csv(path, index=False)
        return any("the same value of id" in note for note in new(*tables, "sick")[1])

    size = min(len(pd.read_csv(path)) for path in tables)
    for path in tables:
        pd.read_csv(path).head(size).to_csv(path, index=False)
    assert told(np.arange(size) // 2) and not told(np.arange(size)) and not told(np.arange(size) % 2)


def test_rows_that_are_numbered_are_no_feature(new: Write, tables: tuple[Path, Path]) -> None:
    for path in tables:
        frame = pd.read_csv(path)
        frame.insert(0, "patient", [f"p{i}" for i in range(len(frame))])
        frame.assign(row_id=range(len(frame)), dose=np.arange(len(frame)) / 3).to_csv(path, index=False)
    path, notes = new(*tables, "sick")
    assert "not used, since every row has its own value: patient, row_id" in notes
    assert load_plans(path)[0].make("source").drop == ["patient", "row_id"]


@pytest.mark.parametrize(
    ("column", "values"), [("site", ("A", "B")), ("site: x", ("1", "2")), ("größe", ("ä\nb", "#"))]
)
def test_one_file_with_a_domain_column(
    new: Write, tables: tuple[Path, Path], tmp_path: Path, column: str, values: tuple[str, str]
) -> None:
    frames = [pd.read_csv(path).assign(**{column: value}) for path, value in zip(tables, values, strict=True)]
    both = tmp_path / "both: it's.csv"
    pd.concat(frames).to_csv(both, index=False)
    path, _ = new(both, None, "sick", f"{column}:{values[0]}:{values[1]}")
    found = results(path, tmp_path)
    assert (found["source"], found["target"]) == values
    sizes = [
        read_json(next((tmp_path / "runs").iterdir()) / "domains.json")[role]["samples"]
        for role in ("source", "target")
    ]
    assert sizes == [80, 70]


def test_strange_names_are_written_as_they_are(new: Write, tmp_path: Path) -> None:
    strange = {"dose": 'a: "b" # {{ x }}', "sick": "krank, ja?", "ward": "it's\t年齢", "age": "null"}
    paths = []
    for seed, rows in enumerate((60, 50)):
        random = np.random.default_rng(seed)
        frame = pd.DataFrame({"age": random.normal(size=rows), "dose": random.normal(size=rows)})
        frame = frame.assign(
            ward=random.choice(["null", "é: 1"], rows), sick=np.where(np.arange(rows) % 2, "yes", "{% no %}")
        )
        paths.append(tmp_path / f"t{seed} 'ä' #.csv")
        frame.rename(columns=strange).to_csv(paths[-1], index=False)
    path, notes = new(*paths, "krank, ja?")
    assert notes[0] == "label: krank, ja?" and "classes: yes, {% no %}" in notes
    assert results(path, tmp_path)["task"]["classes"] == ["yes", "{% no %}"]


def test_a_target_of_one_class_leaves_the_sources_in(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    pd.read_csv(tables[1]).assign(sick="yes").to_csv(tables[1], index=False)
    path, _ = new(*tables, "sick")
    assert load_plans(path)[0].value("classes") == "source"
    assert results(path, tmp_path)["task"]["classes"] == ["no", "yes"]


@pytest.mark.slow
def test_classes_that_only_one_domain_has_are_left_out(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    frame = pd.read_csv(tables[1])
    frame.loc[:9, "sick"] = "maybe"
    frame.to_csv(tables[1], index=False)
    path, _ = new(*tables, "sick")
    assert load_plans(path)[0].value("classes") == "shared"
    assert results(path, tmp_path)["task"]["classes"] == ["no", "yes"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"target": None}, "Name a second file, or --domain COLUMN:SOURCE:TARGET for one file. Got neither of them."),
    ({"domain": "ward:x:y"}, "Got both of them."),
    ({"target": None, "domain": "ward:x"}, "--domain must be COLUMN:SOURCE:TARGET"),
    ({"target": None, "domain": "ward:x:x"}, "two different values"),
    ({"target": None, "domain": "wrd:x:y"}, "near.csv has no column 'wrd'. Did you mean 'ward'?"),
    ({"target": None, "domain": "ward:x:q"}, "No row of"),
    ({"label": "sik"}, "names the column 'sik', which"),
    ({"label": "prize > 3"}, "Did you mean 'price'?"),
    ({"label": "ward > 3"}, "compares column 'ward' with a number, and it holds text"),
    (
        {"label": None},
        "Which column is the label? Name it with --label, one of: age, dose, ward, only_near, price, sick.",
    ),
    ({"target": "near.csv"}, "The source and the target are both"),
    ({"target": "gone.csv"}, "There is no file"),
    ({"target": "small.csv"}, "small.csv has 5 rows, and 20 are the fewest"),
    ({"target": "empty.csv"}, "is empty"),
    ({"target": "words.doc"}, "must end in one of"),
    ({"target": "other.csv"}, "No column of the source is here"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=[str(changes) for changes, _ in WRONG])
def test_nonsense_is_told_and_nothing_is_written(
    tables: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    pd.read_csv(tables[0]).head(5).to_csv(tmp_path / "small.csv", index=False)
    pd.DataFrame({"a": range(30), "sick": ["yes", "no"] * 15}).to_csv(tmp_path / "other.csv", index=False)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "words.doc").write_text("a,b")
    given: dict[str, Any] = {"target": tables[1].name, "label": "sick", "domain": None, **changes}
    target = None if given["target"] is None else tmp_path / given["target"]
    with pytest.raises(UsageError) as caught:
        write_new(tables[0], target, given["label"], given["domain"], tmp_path / "mine.yaml")
    assert said in str(caught.value)
    assert not (tmp_path / "mine.yaml").exists()


def test_numbers_on_another_scale_are_matched(new: Write, tables: tuple[Path, Path], tmp_path: Path) -> None:
    path, _ = new(*tables, "sick")
    assert "match:" not in path.read_text()
    (number, *_) = pd.read_csv(tables[0]).select_dtypes("float").columns
    far = pd.read_csv(tables[1])
    far.assign(**{number: far[number] * 100 + 1000}).to_csv(tables[1], index=False)
    path, notes = new(*tables, "sick")
    assert "match: units " in path.read_text()
    assert f"On another scale in the source: {number}." in notes
    (folder,) = run_recipe(
        path, runs=tmp_path / "runs", overrides=[*QUICK, "rows={alone: source_only}"], stages=["gap"], quiet=True
    )
    (column,) = [c for c in read_json(folder / "preprocessing.json")["columns"] if c["name"] == number]
    assert column["centre"] > 500


def test_a_recipe_is_not_overwritten(tables: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"exists. Name another file with --out"):
        write_new(*tables, "sick", None, tmp_path / "mine.yaml")
    assert (tmp_path / "mine.yaml").read_text() == "mine"
