"""The tables of what was made smaller, and of what left the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from limbeck.core.files import read_json, write_json
from limbeck.reports import write_report
from limbeck.reports._compression import chains, models
from limbeck.reports._run import read_run
from limbeck.reports.terminal import export_lines, print_written

VERSUS = {"difference": -0.012, "low": -0.03, "high": 0.004, "p_value": 0.2, "mcnemar_p_value": 0.2}
MANIFEST: dict[str, Any] = {
    "row": "distilled",
    "seed": 2,
    "step": 1,
    "models": [
        {
            "file": "model.onnx",
            "bytes": 23527,
            "parity": {
                "samples": 256,
                "difference": 0.042,
                "agreement": 0.988,
                "interval": [0.966, 0.996],
                "file": {"1": {"median": 0.026, "p95": 0.03}, "32": {"median": 0.37, "p95": 0.4}},
                "pytorch": {"1": {"median": 0.14, "p95": 0.2}, "32": {"median": 0.9, "p95": 1.0}},
            },
        }
    ],
}


def line(title: str, size: int, **changes: Any) -> dict[str, Any]:
    return {
        "title": title,
        "teacher": None,
        "target": {"accuracy": {"mean": 0.9, "std": 0.01}},
        "versus_student": None,
        "versus_teacher": VERSUS,
        "agreement": {"mean": 0.97, "std": 0.0, "low": 0.95, "high": 0.98},
        "runtime": "onnxruntime",
        "parameters": 10,
        "nonzero": 10,
        "bytes": size,
        "multiply_adds": 1000,
        "latency": {"1": {"median": 0.1, "p95": 0.2}, "32": {"median": 0.1 * size, "p95": size}},
        "peak_memory": None,
        "train_seconds": 0.0,
    } | changes


def compressed(folder: Path, **teacher: Any) -> Path:
    """A run with a chain of two lines below the teacher's, and an export."""
    steps = [line("as trained", 100), line("INT8", 25, versus_student=VERSUS)]
    wide = line("a wide teacher", 1000, versus_teacher=None, **teacher)
    chain = {"row": "distilled", "runtime": "onnxruntime", "teacher": wide, "steps": steps}
    write_json(folder / "results.json", read_json(folder / "results.json") | {"compression": [chain]})
    write_json(folder / "export" / "export.json", MANIFEST)
    return folder


def test_every_line_is_measured_against_the_teacher(make_run: Callable[..., Path], read_page: Any) -> None:
    run = read_run(compressed(make_run()))
    (chain,) = chains(run)
    assert [one.title for one in chain.lines] == ["a wide teacher", "as trained", "INT8"] and chain.taught
    assert [one.smaller for one in chain.lines[1:]] == [one.faster for one in chain.lines[1:]] == ["1/10", "1/40"]
    assert chain.lines[2].versus[0] == chain.lines[2].versus[1] != ("–", "")
    assert chain.lines[1].versus[1] == ("–", "") and chain.lines[1].agreement == ("97.0 %", "95.0 to 98.0")
    page = read_page(write_report(compressed(make_run())))
    assert not page.faults and {"compression", "export"} <= set(page.values("id"))
    for said in ("a wide teacher", "against the teacher", "of the teacher’s", "after step 1 of its compression"):
        assert said in page.source


def test_a_teacher_that_another_runtime_ran_is_not_said_to_be_slower(make_run: Callable[..., Path]) -> None:
    (chain,) = chains(read_run(compressed(make_run(), runtime="torch")))
    assert chain.lines[0].title == "a wide teacher, by PyTorch"
    assert [one.faster for one in chain.lines[1:]] == ["–", "–"]


def test_what_was_exported_is_told(make_run: Callable[..., Path], capsys: Any) -> None:
    folder = compressed(make_run())
    (model,) = models(read_run(folder))
    assert (model.file, model.agreement, model.samples) == ("model.onnx", ("98.8 %", "96.6 to 99.6"), "256")
    assert model.times[0] == ("0.026", "PyTorch 0.14")
    said = export_lines(MANIFEST)
    assert said[0] == "exported: distilled, seed 2, after step 1 of its compression"
    assert said[1].startswith(
        "model.onnx: 23527 bytes; differs from the student by 0.04 on 256 samples, the same answer"
    )
    assert said[1].endswith("for 98.8 % [96.6, 99.6]")
    print_written(folder)
    assert capsys.readouterr().out == "\n".join(said) + "\n"
    assert not models(read_run(make_run())), "nothing was exported there"
