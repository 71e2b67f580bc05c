"""The whole job in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from limbeck.core import UsageError
from limbeck.core.files import atomic_path, read_json, writing
from limbeck.core.tables import pd
from limbeck.recipes import (
    ROOMS,
    Student,
    check_name,
    load_plans,
    load_student,
    part_names,
    read_domain,
    run_recipe,
)

Samples = tuple[np.ndarray | Tensor | pd.DataFrame, np.ndarray | Tensor | pd.Series | Sequence[Any] | None]
Source = Samples | str | Path | Mapping[str, Any]
Network = str | Mapping[str, Any] | nn.Module | type[nn.Module]

__all__ = ["Transfer", "transfer"]

PIECE = 4096
"""So many rows of a memory map are read at once."""


@dataclass(frozen=True)
class Transfer:
    """What a transfer gave.

    folder: the run folder. results: what results.json holds. student: the one chosen without
    target labels; `student.predict(inputs)` takes raw inputs, `student.network` is the module.
    report: the HTML page.
    """

    folder: Path
    results: dict[str, Any]
    student: Student
    report: Path

    @property
    def verdict(self) -> str:
        """The comparison in a sentence."""
        return str(self.results["verdict"])


def transfer(
    source: Source,
    target: Source,
    teacher: Network | Path,
    student: Network,
    *,
    name: str = "transfer",
    labelled: int = 0,
    rows: Mapping[str, Any] | None = None,
    seeds: int | Sequence[int] = 3,
    runs: str | Path = "runs",
    fresh: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Transfer:
    """Measure the gap, train or load the teacher, store its knowledge, teach the student, prove, report.

    source, target: `(inputs, labels)` of arrays, tensors or a data frame (the target's labels may
    be None: then nothing can be proven, only chosen; a memory map of an .npy file stays in it); or a
    CSV or Parquet path with `label=`; or a data part as in a recipe, `{"usps": {"limit": 6000}}`.
    teacher: a network part by name or `{"cnn": {...}}`, an `nn.Module` or its class, trained on the
    source first; a part of teachers by name, `{"sklearn": {"estimator": "random_forest"}}`; or
    the path of safetensors that limbeck wrote, with `teacher_network=`. student: a network likewise.
    rows: the lines of the comparison, as in a recipe, {"auto": "auto"} for one
    whose method a contest chooses; by default the student alone, distilled, distilled and aligned,
    fine-tuned where `labelled` (k per class) is above 0, and the upper bound where the target's
    labels are known. settings: any other key of a recipe, such as `training={"epochs": 20}`.

    Called again with the same arguments it reads what is there, and goes on where it was stopped.

    >>> import numpy as np, tempfile
    >>> random = np.random.default_rng(0)
    >>> x, y = random.normal(size=(120, 4)), np.arange(120) % 2
    >>> x[:, 0] += 3 * y
    >>> done = transfer((x, y), (x + 0.5, y), "mlp", {"mlp": {"hidden": [8]}}, seeds=1, quiet=True,
    ...                 runs=tempfile.mkdtemp(), training={"epochs": 3, "batch_size": 16})
    >>> done.student.predict(x[:2]).columns.tolist()
    ['prediction', 'p(0)', 'p(1)']
    """
    label, network = settings.pop("label", None), settings.pop("teacher_network", None)
    if label is not None and not any(isinstance(given, str | Path) for given in (source, target)):
        raise UsageError(
            f"The 'label' of transfer names a column of a file, and neither domain is a path. Got {label!r}."
        )
    if "matrix" in settings:
        raise UsageError("transfer is for one pair of domains. Write a recipe for a matrix, and run that.")
    check_name(name, "the run")
    folder = Path(runs) / name
    recipe = {
        "name": name,
        "source": _data(source, "source", label, folder),
        "target": _data(target, "target", label, folder),
        "teacher": _teacher(teacher, network),
        "student": student,
        "split": {"labelled": labelled, **settings.pop("split", {})},
        "seeds": seeds if isinstance(seeds, int) else [int(seed) for seed in seeds],
        **settings,
    }
    recipe["rows"] = dict(rows) if rows is not None else _rows(recipe, labelled)
    run_recipe(recipe, runs=Path(runs), name=name, fresh=fresh, quiet=quiet)
    (plan,) = load_plans(recipe)
    results = read_json(folder / "results.json")
    if plan.open_row is not None:
        plan = plan.decide(results["choice"])
    return Transfer(folder, results, load_student(folder, plan=plan), folder / "report.html")


def _data(given: Source, role: str, label: str | None, folder: Path) -> Any:
    """A data part; samples from memory are kept beside the run, so that its recipe can be run again."""
    if isinstance(given, Mapping):
        return given
    if isinstance(given, str | Path):
        if Path(given).suffix == ".npz":
            return {"arrays": {"path": str(given)}}
        return {"csv": {"path": str(given)} | ({} if label is None else {"label": label})}
    if not (isinstance(given, tuple) and len(given) == 2):
        raise UsageError(
            f"The '{role}' of transfer must be (inputs, labels), a path with label=, or a data part such as "
            f"{{'usps': {{}}}}. Got {type(given).__name__}."
        )
    inputs, labels = _array(given[0], role), None if given[1] is None else _array(given[1], role)
    if inputs.ndim < 2 or (labels is not None and labels.shape != inputs.shape[:1]):
        shapes = [None if values is None else list(values.shape) for values in (inputs, labels)]
        raise UsageError(
            f"The '{role}' of transfer must be inputs [n, …] with labels [n] or None. Got shapes {shapes}."
        )
    kept = _kept_table if isinstance(inputs, pd.DataFrame) else _kept_arrays
    return kept(inputs, labels, role, folder)


def _array(values: Any, role: str) -> Any:
    """As NumPy has it; a table stays one."""
    if isinstance(values, pd.DataFrame):
        return values.reset_index(drop=True).rename(columns=str)
    if isinstance(values, np.memmap) and values.filename is not None:
        return values
    try:
        return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    except ValueError as error:
        raise UsageError(f"The '{role}' of transfer must be arrays, tensors or a data frame: {error}") from error


def _kept_arrays(inputs: np.ndarray, labels: np.ndarray | None, role: str, folder: Path) -> dict[str, Any]:
    arrays: dict[str, np.ndarray] = {"inputs": inputs}
    settings: dict[str, Any] = {}
    if labels is not None:
        arrays["labels"], settings = _without_objects(labels)
    if any(array.dtype.kind not in "biufU" for array in arrays.values()):
        kinds = " and ".join(str(array.dtype) for array in arrays.values())
        raise UsageError(f"The '{role}' of transfer must be arrays of numbers, labels also of texts. Got {kinds}.")
    if isinstance(inputs, np.memmap):
        kept = _kept_map(inputs, arrays.get("labels"), role, folder)
        return {"arrays": {"path": str(kept), "name": role, **settings}}
    content = [part for array in arrays.values() for part in (f"{array.dtype}{array.shape}".encode(), array.tobytes())]
    path = _named(folder, role, content, ".npz")
    if not path.exists():
        with atomic_path(path) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]
    return {"arrays": {"path": str(path), "name": role, **settings}}


def _kept_map(inputs: np.memmap, labels: np.ndarray | None, role: str, folder: Path) -> Path:
    """A folder for `arrays` with a link to the .npy file that a map shows; what is part of a file is written anew."""
    file, told = _shown_file(inputs), [] if labels is None else [labels.tobytes()]
    if file is None:
        pieces = (inputs[start : start + PIECE].tobytes() for start in range(0, len(inputs), PIECE))
        kept = _named(folder, role, chain([f"{inputs.dtype}{inputs.shape}".encode()], pieces, told), "")
    else:
        about = file.stat()
        kept = _named(folder, role, [f"{file} {about.st_size} {about.st_mtime_ns}".encode(), *told], "")
    if labels is not None and not (kept / "labels.npy").exists():
        with atomic_path(kept / "labels.npy") as temporary:
            np.save(temporary, labels)
    if not (kept / "inputs.npy").exists():
        if file is None:
            with atomic_path(kept / "inputs.npy") as temporary:
                np.save(temporary, inputs)
        else:
            with writing(kept):
                kept.mkdir(parents=True, exist_ok=True)
                (kept / "inputs.npy").symlink_to(file)
    return kept


def _shown_file(inputs: np.memmap) -> Path | None:
    """The .npy file of which a map shows the whole as it lies there; None where it does not."""
    path = Path(str(inputs.filename))
    if path.suffix != ".npy" or inputs.mode == "c":  # a copy-on-write map may show other numbers than the file
        return None
    there = np.lib.format.open_memmap(path, mode="r")
    same = (there.shape, there.dtype, there.strides) == (inputs.shape, inputs.dtype, inputs.strides)
    return path.resolve() if same and there.offset == inputs.offset else None


def _without_objects(labels: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Labels as a file holds them, where None is NaN; names beside a None become numbers of `classes`."""
    if labels.dtype.kind != "O":
        return labels, {}
    values = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(np.float64)
    if (np.isnan(values) == pd.isna(labels)).all():
        return values, {}
    numbers, names = pd.factorize(labels, sort=True)
    return np.where(numbers < 0, np.nan, numbers), {"classes": [str(name) for name in names]}


def _kept_table(inputs: pd.DataFrame, labels: np.ndarray | None, role: str, folder: Path) -> dict[str, Any]:
    table, column, settings = inputs, "label", {}
    while column in table:
        column += "_"
    if labels is not None:
        table, settings = table.assign(**{column: labels}), {"label": column}
    path = _named(folder, role, [table.to_csv().encode()], ".parquet")
    if not path.exists():
        with atomic_path(path) as temporary:
            try:
                table.to_parquet(temporary)
            except (ValueError, TypeError) as error:  # pyarrow's own errors derive from these
                raise UsageError(f"The table of the '{role}' of transfer cannot be kept: {error}") from error
    return {"csv": {"path": str(path), "name": role, **settings}}


def _named(folder: Path, role: str, content: Iterable[bytes], ending: str) -> Path:
    digest = hashlib.blake2b(digest_size=6)
    for part in content:
        digest.update(part)
    return folder / "data" / f"{role}-{digest.hexdigest()}{ending}"


def _teacher(teacher: Network | Path, network: Network | None) -> Any:
    if isinstance(teacher, Path) or (isinstance(teacher, str) and teacher.endswith(".safetensors")):
        if network is None:
            raise UsageError("A teacher loaded from a file needs its architecture: teacher_network={'cnn': {...}}.")
        return {"network": {"network": network, "weights": str(teacher)}}
    (room,) = (room for room in ROOMS if room.package == "teachers")
    named = teacher if isinstance(teacher, Mapping) else [teacher]
    if all(name in part_names(room) for name in named):
        return teacher
    return {"network": {"network": teacher}}


def _rows(recipe: Mapping[str, Any], labelled: int) -> dict[str, Any]:
    """The default comparison; regression has squared errors in the place of cross-entropy and kl."""
    if read_domain(recipe["source"]).kind == "regression":
        hard: Any = {"mean_squared_error": {"to": "labels"}}
        soft: Any = {"mean_squared_error": {"to": "teacher"}}
    else:
        hard, soft = "cross_entropy", {"kl": {"temperature": 2.0}}
    rows: dict[str, Any] = {
        "alone": "source_only",
        "distilled": {"distill": {"objectives": [hard, soft]}},
        "distilled_and_aligned": {"distill": {"objectives": [hard, soft, {"align": {"distance": "mmd"}}]}},
    }
    if labelled:
        rows["fine_tuned"] = {"fine_tune": {"freeze": 0.5}, "start": "distilled"}
    if read_domain(recipe["target"]).labels is not None:
        rows["upper_bound"] = "target_only"
    return rows
